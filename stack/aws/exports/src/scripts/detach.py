def detach(events, context):
    """Calms, and puts every function back as it was; proves it by looking, and fails where it cannot."""
    deadline, dirty = time.time() + int(events["Seconds"]), {}
    try:
        calm(events, context)
    except (ClientError, BotoCoreError) as error:
        dirty[events["Plan"]] = str(error)
    cloud, left, sent, since = client("lambda"), list(events["Functions"]), set(), {}
    while left:
        # All of them are asked to change before any is waited for, and callers of an alias come first.
        left = [name for name in left if not (is_unshared(cloud, name, events, dirty, since) & clean(cloud, name, events, dirty, sent))]
        if time.time() >= deadline:
            break
        if left:
            # Where versions wait alone, there is less to look for.
            time.sleep(min(10, max(2, events["Grace"])) if set(left) <= set(since) else 2)
    if left or dirty:
        reasons = "; ".join(name + ": " + dirty.get(name, "not ready in time") for name in sorted(set(left) | set(dirty)))
        raise Exception("not restored, `brownout recover` undoes it: " + reasons)
    return {"Clean": len(events["Functions"])}


def is_unshared(cloud, name, events, dirty, since):
    return name not in events.get("Aliases", {}) or unshare(cloud, name, events, dirty, since)
