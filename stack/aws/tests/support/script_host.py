"""Runs the scripts of an SSM Automation document, one after the other, in one process: a line of JSON in, a line of JSON out.

boto3 is the real one; only its endpoints are another, and the clock is one that sleeping moves. A trouble can strike one call:
the script is stopped before or after it, its answer is lost, it is refused, or somebody edits the function just before.
"""
import json
import sys
import time
import traceback

import boto3
from botocore.exceptions import ClientError, ReadTimeoutError

import control_plane

KEYS = {"region_name": "us-east-1", "aws_access_key_id": "test", "aws_secret_access_key": "test"}
session = boto3.session.Session()
real_time = time.time


class Stopped(BaseException):
    """The script's process is gone; nothing of it runs any more."""


class State:
    clock = real_time()
    calls = 0
    trouble = None
    clients = {}


def now():
    return State.clock


def sleep(seconds):
    State.clock += seconds


time.time, time.sleep = now, sleep
PLANE = control_plane.ControlPlane(now)
ENDPOINT = control_plane.serve(PLANE)


def before(**kwargs):
    State.calls += 1
    trouble = State.trouble
    if not trouble or trouble["call"] != State.calls:
        return
    if trouble["kind"] == "stop-before":
        raise Stopped()
    if trouble["kind"] == "refuse":
        throttled = {"Error": {"Code": "TooManyRequestsException"}, "ResponseMetadata": {"HTTPStatusCode": 429}}
        raise ClientError(throttled, kwargs["model"].name)
    if trouble["kind"] == "edit":
        PLANE.edit(trouble["function"])


def after(**kwargs):
    trouble = State.trouble
    if not trouble or trouble["call"] != State.calls:
        return
    if trouble["kind"] == "stop-after":
        raise Stopped()
    if trouble["kind"] == "lose":
        raise ReadTimeoutError(endpoint_url=ENDPOINT)


def client(service, **kwargs):
    if service not in State.clients:
        made = session.client(service, endpoint_url=ENDPOINT, **{**KEYS, **kwargs})
        made.meta.events.register("before-call", before)
        made.meta.events.register("after-call", after)
        State.clients[service] = made
    return State.clients[service]


boto3.client = client


def answer(request):
    State.calls, State.trouble = 0, request.get("trouble")
    begun, scope = State.clock, {"__name__": "script"}
    try:
        exec(compile(request["script"], request["handler"], "exec"), scope)
        payload = scope[request["handler"]](request["payload"], {})
        result = {"payload": json.loads(json.dumps(payload))}
    except Stopped:
        result = {"error": "stopped"}
    except Exception as error:
        result = {"error": str(error), "trace": traceback.format_exc()}
    return {**result, "calls": State.calls, "seconds": State.clock - begun}


for line in sys.stdin:
    request = json.loads(line)
    if "sleep" in request:
        sleep(request["sleep"])
        result = {}
    elif "reset" in request:
        PLANE.reset(**request["reset"])
        result = {}
    elif "state" in request:
        result = PLANE.state()
    else:
        result = answer(request)
    print(json.dumps(result), flush=True)
