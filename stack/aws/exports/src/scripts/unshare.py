def unshare(cloud, name, events, dirty, since):
    """Takes the share back at once, and deletes the version when no front end of Lambda calls it any more. True once there is none."""
    about = name + ":" + events["Aliases"][name]
    try:
        numbers = versions_of(cloud, name, events)
        alias = alias_of(cloud, name, events)
        weights = weights_of(alias)
        kept = {number: weight for number, weight in weights.items() if number not in numbers}
        if kept != weights:
            routing = {"AdditionalVersionWeights": kept}
            cloud.update_alias(FunctionName=name, Name=alias["Name"], RevisionId=alias["RevisionId"], RoutingConfig=routing)
        elif not numbers:
            dirty.pop(about, None)
            return True
        # An attempt that was stopped may have taken the share back just now.
        if time.time() >= since.setdefault(name, time.time()) + events["Grace"]:
            for number in numbers:
                cloud.delete_function(FunctionName=name, Qualifier=number)
    except (ClientError, BotoCoreError) as error:
        if code(error) == "ResourceNotFoundException" and error.operation_name == "ListVersionsByFunction":
            dirty.pop(about, None)
            return True
        dirty[about] = str(error)
    return False


def alias_of(cloud, name, events):
    """The alias; an empty one where it is gone."""
    try:
        return cloud.get_alias(FunctionName=name, Name=events["Aliases"][name])
    except ClientError as error:
        if code(error) == "ResourceNotFoundException":
            return {}
        raise
