def clean(cloud, name, events, dirty, sent):
    """An inverse patch, not a snapshot: what somebody else changed meanwhile stays. True once nothing of ours is there and it is ready."""
    try:
        found = cloud.get_function_configuration(FunctionName=name)
        environment = found.get("Environment", {})
        if environment.get("Error"):
            raise Exception("its variables cannot be read")
        variables = dict(environment.get("Variables", {}))
        text = variables.get("BROWNOUT_UNDO")
        layers = [layer["Arn"] for layer in found.get("Layers", [])]
        status = found.get("LastUpdateStatus", "Successful")
        if status == "InProgress":
            return False
        undo = done(found, variables, layers, events, name)
        if undo:
            variables.pop("BROWNOUT_UNDO", None)
            for key, value in undo["set"].items():
                if variables.get(key) != value:
                    continue
                if key in undo.get("before", {}):
                    variables[key] = undo["before"][key]
                else:
                    del variables[key]
            layers = [layer for layer in layers if layer != undo.get("layer")]
        elif text and not an_object(text).get("run"):
            raise Exception("its BROWNOUT_UNDO is not understood; take it out")
        elif status == "Failed" and name in sent:
            # It is clean as it is written, but Lambda failed to put that in force: the same again.
            dirty[name] = str(found.get("LastUpdateStatusReason"))
        else:
            dirty.pop(name, None)
            return True
        sent.add(name)
        cloud.update_function_configuration(
            FunctionName=name, RevisionId=found["RevisionId"], Layers=layers, Environment={"Variables": variables}
        )
    except ClientError as error:
        if code(error) == "ResourceNotFoundException":
            dirty.pop(name, None)
            return True
        dirty[name] = str(error)
    except Exception as error:
        dirty[name] = str(error)
    return False


def done(found, variables, layers, events, name):
    """What this run did to a function; nothing where nothing of it is there. Another run could only take hold after that."""
    undo = an_object(variables.get("BROWNOUT_UNDO", ""))
    if undo.get("run") == events["Run"]:
        return undo
    ours, before, wrapper = ours_of(found, events, name), {}, variables.get("BROWNOUT_EXEC_WRAPPER")
    if undo.get("run") or variables.get("BROWNOUT_PLAN", ours["BROWNOUT_PLAN"]) != ours["BROWNOUT_PLAN"]:
        return None
    # Somebody took the way back out: our layer, with our plan or none. What the wrapper needs says what was before.
    if wrapper and "AWS_LAMBDA_EXEC_WRAPPER" in ours:
        ours["BROWNOUT_EXEC_WRAPPER"] = before["AWS_LAMBDA_EXEC_WRAPPER"] = wrapper
    is_left = events["Layer"] in layers or any(variables.get(key) == value for key, value in ours.items())
    return {"set": ours, "before": before, "layer": events["Layer"]} if is_left else None
