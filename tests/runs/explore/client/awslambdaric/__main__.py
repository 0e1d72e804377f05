"""The loop of a runtime: next event, handler, answer."""

import http.client
import importlib
import json
import os
import sys

sys.path.insert(0, os.environ.get("LAMBDA_TASK_ROOT", "."))
module, name = sys.argv[1].rsplit(".", 1)
handler = getattr(importlib.import_module(module), name)
runtime = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
INVOCATION = "/2018-06-01/runtime/invocation"


def asked(method, path, body=None):
    runtime.request(method, path, body)
    answer = runtime.getresponse()
    return answer.headers, answer.read()


while True:
    headers, event = asked("GET", f"{INVOCATION}/next")
    os.environ["_X_AMZN_TRACE_ID"] = headers["Lambda-Runtime-Trace-Id"] or ""
    of = f"{INVOCATION}/{headers['Lambda-Runtime-Aws-Request-Id']}"
    try:
        result = json.dumps(handler(json.loads(event), None))
    except Exception as error:
        print(f"failed: {error!r}", flush=True)
        asked("POST", f"{of}/error", json.dumps({"errorType": type(error).__name__, "errorMessage": str(error)}))
    else:
        asked("POST", f"{of}/response", result)
