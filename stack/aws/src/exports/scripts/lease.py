# More than this in a text, and a parameter is an advanced one.
STANDARD = 4096
LEASE = 60


def write(ssm, name, plan, until, overwrite):
    """Writes the plan with a lease that ends with the faults; returns the parameter's version."""
    plan["lease_ms"] = max(1, min(LEASE * 1000, int((until - time.time()) * 1000)))
    text = json.dumps(plan, separators=(",", ":"))
    tier = "Advanced" if len(text.encode()) > STANDARD else "Standard"
    return ssm.put_parameter(Name=name, Value=text, Type="String", Tier=tier, Overwrite=overwrite)["Version"]
