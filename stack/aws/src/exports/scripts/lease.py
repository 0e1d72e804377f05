LEASE = 60


def write(ssm, name, plan, until, overwrite):
    """Writes the plan with a lease that ends with the faults; returns the parameter's version."""
    now = time.time()
    plan["lease_ms"] = max(1, min(LEASE * 1000, int((until - now) * 1000)))
    # Whoever reads it later has only the rest of the lease.
    plan["until_ms"] = int(now * 1000) + plan["lease_ms"]
    text = json.dumps(plan, separators=(",", ":"))
    # An advanced parameter never becomes a standard one again; this tier takes either as it is.
    return ssm.put_parameter(Name=name, Value=text, Type="String", Tier="Intelligent-Tiering", Overwrite=overwrite)["Version"]
