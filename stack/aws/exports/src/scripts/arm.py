def arm(events, context):
    """Strikes: from now on until the time that it returns."""
    ssm, name = client("ssm"), events["Plan"]
    plan = json.loads(ssm.get_parameter(Name=events["Faults"])["Parameter"]["Value"])
    plan["run"], plan["sequence"] = events["Run"], 1
    found = read(ssm, name)
    other = plan_in(found)
    if other.get("run") == events["Run"]:
        # An attempt before this one had written it, and its answer was lost.
        plan["sequence"] = other["sequence"] + 1
    elif found and not other:
        raise Exception(name + " holds something that is no plan, which keeps faults out of force; delete it")
    elif other.get("faults") and not is_over(found, other):
        raise Exception(name + " holds the plan of run " + str(other.get("run")))
    until = int(time.time()) + int(events["Seconds"])
    put(ssm, name, plan, until, found)
    return {"Until": until}


def is_over(found, plan):
    written = found.get("LastModifiedDate")
    return written and time.time() > written.timestamp() + plan.get("lease_ms", 0) / 1000
