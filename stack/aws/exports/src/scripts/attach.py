LATER = {"ThrottlingException", "TooManyUpdates", "InternalServerError", "InternalFailure", "ServiceUnavailable"}


def attach(events, context):
    """Attaches the layer to every function, idle, and waits until all of them are ready."""
    cloud, deadline = client("lambda"), time.time() + int(events["Seconds"])
    architectures = cloud.get_layer_version_by_arn(Arn=events["Layer"]).get("CompatibleArchitectures", [])
    for name in events["Functions"]:
        insist(lambda: fit(cloud, name, events, architectures), name, deadline)
    for name in events["Functions"]:
        insist(lambda: attach_one(cloud, name, events), name, deadline)
    for name in events["Functions"]:
        insist(lambda: ready(cloud, name), name, deadline)
    if "Aliases" in events:
        share(cloud, events, deadline)
    return {"Attached": len(events["Functions"])}


def insist(attempt, name, deadline):
    """Tries until it says so; a mistake that will not pass ends it at once."""
    while not attempt():
        if time.time() >= deadline:
            raise Exception(name + " was not ready in time")
        time.sleep(2)


def look(cloud, name):
    """A function's configuration, its variables and its layers."""
    found = cloud.get_function_configuration(FunctionName=name)
    environment = found.get("Environment", {})
    if environment.get("Error"):
        # Written back, they would be lost.
        raise Exception("the variables of " + name + " cannot be read: " + str(environment["Error"].get("ErrorCode")))
    return found, dict(environment.get("Variables", {})), [layer["Arn"] for layer in found.get("Layers", [])]


def may_pass(error):
    """Whether the same may go well later: a conflict, another revision, a throttle, a fault of the service, a lost answer."""
    if not isinstance(error, ClientError):
        return True
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return status in (409, 412, 429) or status >= 500 or code(error) in LATER


def fit(cloud, name, events, architectures):
    """Refuses what could not be attached, would break the function, or is not allowed. Nothing is changed before all of them are fit."""
    try:
        found, variables, layers = look(cloud, name)
        tags = cloud.list_tags(Resource=name).get("Tags", {})
        if name in events.get("Aliases", {}):
            fit_to_share(cloud, name, events, found)
    except (ClientError, BotoCoreError) as error:
        if may_pass(error):
            return False
        raise
    stem = events["Layer"].rsplit(":", 1)[0]
    others = [layer for layer in layers if layer != events["Layer"]]
    run = an_object(variables["BROWNOUT_UNDO"]).get("run", "unknown") if "BROWNOUT_UNDO" in variables else events["Run"]
    key, value = events["Tag"].split("=", 1)
    runtime = found.get("Runtime", "")
    for wrong, why in [
        (tags.get(key) != value, "does not carry the tag `" + events["Tag"] + "`; whoever owns it sets that to allow experiments"),
        (run != events["Run"], "is held by run " + str(run) + "; `brownout recover` lets it go"),
        (found.get("PackageType") == "Image", "is an image, which takes no layer"),
        (any(layer.rsplit(":", 1)[0] == stem for layer in others), "has another version of the layer"),
        (len(others) > 4, "has no place for a layer"),
        (found.get("State", "Active") != "Active", "is not active: invoke it once"),
        (found.get("LastUpdateStatus") == "Failed", "could not be changed by whoever did last: repair that first"),
        (not runtime.startswith(("provided", "python", "nodejs", "java", "ruby", "dotnet")), "has a runtime without a wrapper"),
        (architectures and not set(found.get("Architectures", ["x86_64"])) & set(architectures), "is of another architecture"),
    ]:
        if wrong:
            raise Exception(name + " " + why)
    return True


def attach_one(cloud, name, events):
    """One change, with the way back in it: both arrive together or not at all. True once our marker is there."""
    try:
        found, variables, layers = look(cloud, name)
        if "BROWNOUT_UNDO" in variables:
            if an_object(variables["BROWNOUT_UNDO"]).get("run") != events["Run"]:
                raise Exception(name + " was taken by another run")
            return True
        if found.get("LastUpdateStatus") == "InProgress":
            return False
        ours = ours_of(found, events, name)
        wrapper = variables.get("AWS_LAMBDA_EXEC_WRAPPER")
        if "AWS_LAMBDA_EXEC_WRAPPER" in ours and wrapper and wrapper != WRAPPER:
            ours["BROWNOUT_EXEC_WRAPPER"] = wrapper
        before, at = {key: variables[key] for key in ours if key in variables}, int(time.time())
        undo = {"run": events["Run"], "at": at, "until": at + int(events["LastsSeconds"]), "set": ours, "before": before}
        if "ConfigSha256" in found:
            undo["sha"] = found["ConfigSha256"]
        if name in events.get("Aliases", {}):
            undo["alias"] = events["Aliases"][name]
        if events["Layer"] not in layers:
            undo["layer"] = events["Layer"]
            layers.append(events["Layer"])
        variables.update(ours)
        variables["BROWNOUT_UNDO"] = json.dumps(undo, separators=(",", ":"), sort_keys=True)
        cloud.update_function_configuration(
            FunctionName=name, RevisionId=found["RevisionId"], Layers=layers, Environment={"Variables": variables}
        )
        return True
    except (ClientError, BotoCoreError) as error:
        # Also where the answer alone was lost: the next look finds our marker.
        if may_pass(error):
            return False
        raise


def ready(cloud, name):
    try:
        found = cloud.get_function_configuration(FunctionName=name)
    except (ClientError, BotoCoreError) as error:
        if may_pass(error):
            return False
        raise
    if found.get("LastUpdateStatus") == "Failed":
        raise Exception(name + " could not be changed: " + str(found.get("LastUpdateStatusReason")))
    return found.get("LastUpdateStatus", "Successful") == "Successful"
