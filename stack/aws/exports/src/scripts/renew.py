def renew(events, context):
    """Renews the lease while the plan is ours. Who calms it meanwhile is obeyed."""
    ssm, name, until = client("ssm"), events["Plan"], int(events["Until"])
    if time.time() >= until:
        return {"More": False}
    found = read(ssm, name)
    plan = plan_in(found)
    if plan.get("run") == events["Run"] and not plan.get("faults"):
        # Calmed by whoever drives this run: it ends early, and in good order.
        return {"More": False}
    if plan.get("run") != events["Run"]:
        raise Exception("somebody else calmed " + name)
    plan["sequence"] += 1
    put(ssm, name, plan, until, found)
    return {"More": time.time() < until}
