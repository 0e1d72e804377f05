LEASE = 60


def write(ssm, name, plan, until, overwrite):
    """Writes the plan with a lease that ends with the faults; returns the parameter's version."""
    plan["lease_ms"] = max(1, min(LEASE * 1000, int((until - time.time()) * 1000)))
    text = json.dumps(plan, separators=(",", ":"))
    # An advanced parameter never becomes a standard one again; this tier takes either as it is.
    return ssm.put_parameter(Name=name, Value=text, Type="String", Tier="Intelligent-Tiering", Overwrite=overwrite)["Version"]
