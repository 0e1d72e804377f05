# No step trusts what an earlier one said: each looks at the cloud. A script may be stopped after any call and run again.
import json
import time

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

# Short, so that a call that hangs leaves time for the others.
CONFIG = Config(connect_timeout=5, read_timeout=20, retries={"mode": "standard", "total_max_attempts": 2})
LATER = {"ThrottlingException", "TooManyUpdates", "InternalServerError", "InternalFailure", "ServiceUnavailable"}


def client(service):
    return boto3.client(service, config=CONFIG)


def code(error):
    return error.response.get("Error", {}).get("Code", "") if isinstance(error, ClientError) else ""


def may_pass(error):
    """Whether the same may go well later: a conflict, another revision, a throttle, a fault of the service, a lost answer."""
    if not isinstance(error, ClientError):
        return True
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return status in (409, 412, 429) or status >= 500 or code(error) in LATER
