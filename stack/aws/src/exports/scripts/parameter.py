def read(ssm, name):
    """The parameter, or nothing where there is none."""
    try:
        return ssm.get_parameter(Name=name)["Parameter"]
    except ClientError as error:
        if code(error) == "ParameterNotFound":
            return None
        raise


def drop(ssm, name):
    try:
        ssm.delete_parameter(Name=name)
    except ClientError as error:
        if code(error) != "ParameterNotFound":
            raise
