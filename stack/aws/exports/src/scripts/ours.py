WRAPPER = "/opt/brownout/wrapper"


def ours_of(found, events, name):
    """What is set on a function, beside the way back and its own wrapper."""
    ours = dict(events["Settings"].get(name, {}), BROWNOUT_PLAN="ssm:" + events["Plan"])
    if not found.get("Runtime", "").startswith("provided"):
        ours["AWS_LAMBDA_EXEC_WRAPPER"] = WRAPPER
    return ours
