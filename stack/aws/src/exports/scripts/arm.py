def arm(events, context):
    """Strikes: from now on until the time that it returns."""
    ssm, name = client("ssm"), events["Plan"]
    plan = json.loads(ssm.get_parameter(Name=events["Faults"])["Parameter"]["Value"])
    plan["run"], plan["sequence"] = events["Run"], 1
    found = read(ssm, name)
    if found:
        other = json.loads(found["Value"])
        if other.get("run") == events["Run"]:
            # An attempt before this one had written it, and its answer was lost.
            plan["sequence"] = other["sequence"] + 1
        elif other.get("faults") and time.time() < found["LastModifiedDate"].timestamp() + other.get("lease_ms", 0) / 1000:
            raise Exception(name + " holds the plan of run " + str(other.get("run")))
    until = int(time.time()) + int(events["Seconds"])
    write(ssm, name, plan, until, found is not None)
    return {"Until": until}
