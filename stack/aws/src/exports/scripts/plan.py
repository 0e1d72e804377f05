# More than this in a text, and a parameter is an advanced one.
STANDARD = 4096
LEASE = 60


def write(ssm, name, plan, until, overwrite):
    """Writes the plan with a lease that ends with the faults; returns the parameter's version."""
    plan["lease_ms"] = max(1, min(LEASE * 1000, int((until - time.time()) * 1000)))
    text = json.dumps(plan, separators=(",", ":"))
    tier = "Advanced" if len(text.encode()) > STANDARD else "Standard"
    return ssm.put_parameter(Name=name, Value=text, Type="String", Tier=tier, Overwrite=overwrite)["Version"]


def read(ssm, name):
    """The parameter, or nothing where there is none."""
    try:
        return ssm.get_parameter(Name=name)["Parameter"]
    except ClientError as error:
        if code(error) == "ParameterNotFound":
            return None
        raise


def arm(events, context):
    """Strikes: from now on until the time that it returns."""
    ssm, name = client("ssm"), events["Plan"]
    plan = json.loads(ssm.get_parameter(Name=events["Faults"])["Parameter"]["Value"])
    plan["run"], plan["sequence"] = events["Run"], 1
    found = read(ssm, name)
    if found:
        other = json.loads(found["Value"])
        age = time.time() - found["LastModifiedDate"].timestamp()
        if other.get("run") == events["Run"]:
            # An attempt before this one had written it, and its answer was lost.
            plan["sequence"] = other["sequence"] + 1
        elif other.get("faults") and age < other.get("lease_ms", 0) / 1000:
            raise Exception(name + " holds the plan of run " + str(other.get("run")))
    until = int(time.time()) + int(events["Seconds"])
    write(ssm, name, plan, until, found is not None)
    return {"Until": until}


def renew(events, context):
    """Renews the lease while the plan is ours. Who calms it meanwhile is obeyed."""
    ssm, name, until = client("ssm"), events["Plan"], int(events["Until"])
    if time.time() >= until:
        return {"More": False}
    found = read(ssm, name)
    plan = json.loads(found["Value"]) if found else {}
    if plan.get("run") != events["Run"] or not plan.get("faults"):
        raise Exception("somebody else calmed " + name)
    plan["sequence"] += 1
    version = write(ssm, name, plan, until, True)
    if version != found["Version"] + 1:
        # Somebody wrote or deleted it between our look and our write: what we wrote must not stand.
        drop(ssm, name)
        raise Exception("somebody else changed " + name)
    return {"More": time.time() < until}


def calm(events, context):
    """Without the parameter every event passes untouched. Another run's plan stays."""
    ssm, name = client("ssm"), events["Plan"]
    found = read(ssm, name)
    if found and json.loads(found["Value"]).get("run") == events["Run"]:
        drop(ssm, name)
    return {"Calm": True}


def drop(ssm, name):
    try:
        ssm.delete_parameter(Name=name)
    except ClientError as error:
        if code(error) != "ParameterNotFound":
            raise
