"""Says what it was given, or fails, as the event asks: the function with which a runtime is tried. It calls nothing."""

import os
import time


class Refused(Exception):
    """What the event asked for."""


def handler(event, context):
    what = event.get("do")
    if what == "raise":
        raise Refused("as asked")
    if what == "sleep":
        time.sleep(event["ms"] / 1000)
    if what == "exit":
        os._exit(event["code"])
    return {
        "requestId": context.aws_request_id,
        "deadlineMs": int(time.time() * 1000) + context.get_remaining_time_in_millis(),
        "arn": context.invoked_function_arn,
        "trace": os.environ.get("_X_AMZN_TRACE_ID"),
        "event": event,
    }
