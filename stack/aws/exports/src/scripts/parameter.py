def read(ssm, name):
    """The parameter, or nothing where there is none."""
    try:
        return ssm.get_parameter(Name=name)["Parameter"]
    except ClientError as error:
        if code(error) == "ParameterNotFound":
            return None
        raise


def plan_in(found):
    """The plan in a parameter; an empty one where there is none, or something else: whoever wrote that has stopped the faults."""
    return an_object(found["Value"]) if found else {}


def drop(ssm, name):
    try:
        ssm.delete_parameter(Name=name)
    except ClientError as error:
        if code(error) != "ParameterNotFound":
            raise
