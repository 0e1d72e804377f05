SETTINGS = (
    "CodeSha256 Runtime RuntimeVersionConfig Architectures PackageType ImageConfigResponse Handler Role Timeout MemorySize "
    "EphemeralStorage KMSKeyArn VpcConfig FileSystemConfigs DeadLetterConfig TracingConfig LoggingConfig"
).split()


def differences(one, other):
    """The names of the settings in which two versions differ for a caller."""
    one, other = [
        {
            **{"variable " + key: value for key, value in found.get("Environment", {}).get("Variables", {}).items()},
            **{key: found.get(key) for key in SETTINGS},
            "layers": [layer["Arn"] for layer in found.get("Layers", [])],
            "SnapStart": found.get("SnapStart", {}).get("ApplyOn", "None"),
        }
        for found in (one, other)
    ]
    return sorted(key for key in {**one, **other} if one.get(key) != other.get(key))


def behind(cloud, name, events):
    """The alias, and the version that it stands for."""
    alias = cloud.get_alias(FunctionName=name, Name=events["Aliases"][name])
    if alias["FunctionVersion"] == "$LATEST":
        raise Exception("alias " + alias["Name"] + " of " + name + " points to $LATEST, which cannot share its calls")
    return alias, cloud.get_function_configuration(FunctionName=name, Qualifier=alias["FunctionVersion"])


def fit_to_share(cloud, name, events, latest):
    """Publishing `$LATEST` must bring nothing to callers but the layer."""
    alias, version = behind(cloud, name, events)
    if weights_of(alias):
        raise Exception("alias " + alias["Name"] + " of " + name + " already shares its calls with another version")
    refuse(name, differences(latest, version))


def refuse(name, differing):
    if differing:
        raise Exception("$LATEST of " + name + " differs from the version of the alias in " + ", ".join(differing))


def share(cloud, events, deadline):
    """A version with the layer gets a share of each alias; `$LATEST` has the layer only until it is published."""
    names = [name for name in events["Functions"] if name in events["Aliases"]]
    for name in names:
        insist(lambda: publish(cloud, name, events), name, deadline)
    dirty, sent = {}, set()
    for name in names:
        insist(lambda: clean(cloud, name, events, dirty, sent), name, deadline)
    for name in names:
        insist(lambda: shift(cloud, name, events), name, deadline)


def publish(cloud, name, events):
    """True once the version is there. One that somebody else published of the same is not ours to delete."""
    try:
        if versions_of(cloud, name, events):
            return True
        found, said = cloud.get_function_configuration(FunctionName=name), "brownout run " + events["Run"]
        made = cloud.publish_version(FunctionName=name, RevisionId=found["RevisionId"], Description=said)
    except (ClientError, BotoCoreError) as error:
        if may_pass(error):
            return False
        raise
    if made.get("Description") != said:
        raise Exception("another deployment published version " + made["Version"] + " of " + name + " with the layer; it keeps it")
    return True


def shift(cloud, name, events):
    """True once the version is active and the alias gives it its share."""
    try:
        [number] = versions_of(cloud, name, events)
        found = cloud.get_function_configuration(FunctionName=name, Qualifier=number)
        if found.get("State") == "Pending":
            return False
        alias, version = behind(cloud, name, events)
        ours = ("layers", "variable BROWNOUT_", "variable AWS_LAMBDA_EXEC_WRAPPER")
        refuse(name, [one for one in differences(found, version) if not one.startswith(ours)])
        weights = weights_of(alias)
        if found.get("State") == "Failed" or set(weights) - {number}:
            raise Exception("version " + number + " of " + name + " failed, or the alias shares its calls with another one")
        if not weights:
            weights[number] = float(events["Share"])
            routing = {"AdditionalVersionWeights": weights}
            cloud.update_alias(FunctionName=name, Name=alias["Name"], RevisionId=alias["RevisionId"], RoutingConfig=routing)
        return True
    except (ClientError, BotoCoreError) as error:
        if may_pass(error):
            return False
        raise
