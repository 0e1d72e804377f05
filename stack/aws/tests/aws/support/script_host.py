"""Runs the scripts of an SSM Automation document, one after the other, in one process: a line of JSON in, a line of JSON out.

boto3 is the real one; only its endpoints are the control plane's, and the clock is one that only sleeping moves, unless the real one is asked
for. A script can be stopped before or after one of its calls, as if its process were gone.
"""
import json
import sys
import time
import traceback

import boto3
import yaml
from botocore.config import Config

KEYS = {"endpoint_url": sys.argv[1], "region_name": "us-east-1", "aws_access_key_id": "automation", "aws_secret_access_key": "test"}
session = boto3.session.Session()
real_time = time.time


class Stopped(BaseException):
    """The script's process is gone; nothing of it runs any more."""


class State:
    clock = real_time()
    calls = 0
    trouble = None
    clients = {}
    plans = []


def now():
    return State.clock


def sleep(seconds):
    State.clock += seconds


if sys.argv[2] == "stopped":
    time.time, time.sleep = now, sleep


def stop_where(kind):
    trouble = State.trouble
    if trouble and trouble["call"] == State.calls and trouble["kind"] == kind:
        raise Stopped()


def before(**_):
    State.calls += 1
    stop_where("stop-before")


def after(**_):
    stop_where("stop-after")


def written(params, **_):
    State.plans.append({"at": State.clock, **json.loads(params["Value"])})


def client(service, **kwargs):
    if service not in State.clients:
        # A sixth of a call's time goes into the words of its `User-Agent`.
        config = Config(user_agent="automation").merge(kwargs.pop("config", None) or Config())
        made = session.client(service, **{**KEYS, **kwargs, "config": config})
        made.meta.events.register("before-call", before)
        made.meta.events.register("after-call", after)
        made.meta.events.register("provide-client-params.ssm.PutParameter", written)
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
    elif "yaml" in request:
        result = {"value": yaml.safe_load(request["yaml"])}
    elif "plans" in request:
        result, State.plans = {"plans": State.plans}, []
    else:
        result = answer(request)
    print(json.dumps(result), flush=True)
