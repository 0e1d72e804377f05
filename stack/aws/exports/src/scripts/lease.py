LEASE = 60


def put(ssm, name, plan, until, found):
    """Writes the plan over what was found, or where nothing was, with a lease that ends with the faults."""
    now = time.time()
    plan["lease_ms"] = max(1, min(LEASE * 1000, int((until - now) * 1000)))
    # Whoever reads it later has only the rest of the lease.
    plan["until_ms"] = int(now * 1000) + plan["lease_ms"]
    text = json.dumps(plan, separators=(",", ":"))
    # An advanced parameter never becomes a standard one again; this tier takes either as it is.
    written = ssm.put_parameter(Name=name, Value=text, Type="String", Tier="Intelligent-Tiering", Overwrite=found is not None)
    if found and written["Version"] != found["Version"] + 1:
        # Somebody wrote or deleted it between our look and our write: what we wrote must not stand.
        drop(ssm, name)
        raise Exception("somebody else changed " + name)
