def calm(events, context):
    """Without the parameter every event passes untouched. What is not this run's plan stays."""
    ssm, name = client("ssm"), events["Plan"]
    if plan_in(read(ssm, name)).get("run") == events["Run"]:
        drop(ssm, name)
    return {"Calm": True}
