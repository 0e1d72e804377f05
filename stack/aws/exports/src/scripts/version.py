def versions_of(cloud, name, events):
    """The versions that this run published."""
    said, found = "brownout run " + events["Run"], []
    for page in cloud.get_paginator("list_versions_by_function").paginate(FunctionName=name):
        for one in page["Versions"]:
            undo = an_object(one.get("Environment", {}).get("Variables", {}).get("BROWNOUT_UNDO", ""))
            is_ours = undo.get("run") == events["Run"] and undo.get("alias") and one.get("Description") == said
            found += [one["Version"]] if is_ours and one["Version"] != "$LATEST" else []
    return found


def weights_of(alias):
    return dict((alias.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {})
