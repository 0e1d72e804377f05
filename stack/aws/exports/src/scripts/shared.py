# No step trusts what an earlier one said: each looks at the cloud. A script may be stopped after any call and run again.
import json
import time

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

# Short, so that a call that hangs leaves time for the others.
CONFIG = Config(connect_timeout=5, read_timeout=20, retries={"mode": "standard", "total_max_attempts": 2})


def client(service):
    return boto3.client(service, config=CONFIG)


def code(error):
    return error.response.get("Error", {}).get("Code", "") if isinstance(error, ClientError) else ""


def an_object(text):
    """The object that a text is in JSON; an empty one where it is anything else."""
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
