LEASE = 60


def put(ssm, name, plan, until, found):
    """Writes the plan over what was found, or where nothing was, with a lease that ends with the faults."""
    plan["lease_ms"] = max(1, min(LEASE * 1000, int((until - time.time()) * 1000)))
    text = json.dumps(plan, separators=(",", ":"))
    # An advanced parameter never becomes a standard one again; this tier takes either as it is.
    written = ssm.put_parameter(Name=name, Value=text, Type="String", Tier="Intelligent-Tiering", Overwrite=found is not None)
    if found and written["Version"] != found["Version"] + 1:
        # Somebody wrote or deleted it between our look and our write: what we wrote must not stand.
        drop(ssm, name)
        raise Exception("somebody else changed " + name)
