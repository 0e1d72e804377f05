def renew(events, context):
    """Renews the lease while the plan is ours. Who calms it meanwhile is obeyed."""
    ssm, name, until = client("ssm"), events["Plan"], int(events["Until"])
    if time.time() >= until:
        return {"More": False}
    found = read(ssm, name)
    plan = json.loads(found["Value"]) if found else {}
    if plan.get("run") == events["Run"] and not plan.get("faults"):
        # Calmed by whoever drives this run: it ends early, and in good order.
        return {"More": False}
    if plan.get("run") != events["Run"]:
        raise Exception("somebody else calmed " + name)
    plan["sequence"] += 1
    version = write(ssm, name, plan, until, True)
    if version != found["Version"] + 1:
        # Somebody wrote or deleted it between our look and our write: what we wrote must not stand.
        drop(ssm, name)
        raise Exception("somebody else changed " + name)
    return {"More": time.time() < until}
