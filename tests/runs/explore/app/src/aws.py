"""Calls of services as an SDK makes them: with the trace and the credentials of the function, and again
after a failure of the service."""

import http.client
import json
import os
import time
from urllib.parse import urlsplit

TRIES = 3


class Refused(Exception):
    pass


def sent(method, path, headers, body, timeout):
    headers = {
        **headers,
        "X-Amzn-Trace-Id": os.environ.get("_X_AMZN_TRACE_ID", ""),
        "X-Amz-Security-Token": os.environ.get("AWS_SESSION_TOKEN", ""),
    }
    connection = http.client.HTTPConnection(urlsplit(os.environ["AWS_ENDPOINT_URL"]).netloc, timeout=timeout)
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


def tried(method, path, headers, body, timeout):
    """The answer of the first try that the service did not fail; a refusal is not tried again."""
    for number in range(TRIES):
        try:
            status, answered, content = sent(method, path, headers, body, timeout)
        except TimeoutError:
            status, answered, content = 503, {}, b"no answer in time"
        is_throttled = b"Throttling" in content or b"ThroughputExceeded" in content or b"TooManyRequests" in content
        if status < 500 and not (status >= 400 and is_throttled):
            break
        time.sleep(0.05 * 2**number)
    if status >= 400:
        raise Refused(f"{path} {status}: {content[:200]!r}")
    return answered, content


def call(target, body, timeout=60):
    headers = {"X-Amz-Target": target, "Content-Type": "application/x-amz-json-1.0"}
    return json.loads(tried("POST", "/", headers, json.dumps(body), timeout)[1])


def put(table, **item):
    call("DynamoDB_20120810.PutItem", {"TableName": table, "Item": {name: {"S": value} for name, value in item.items()}})


def get(table, key):
    found = call("DynamoDB_20120810.GetItem", {"TableName": table, "Key": {"id": {"S": key}}, "ConsistentRead": True}).get("Item")
    return found and {name: value["S"] for name, value in found.items()}


def send(queue, body):
    call("AmazonSQS.SendMessage", {"QueueUrl": queue, "MessageBody": json.dumps(body)})


def invoke(function, event, timeout):
    headers, content = tried("POST", f"/2015-03-31/functions/{function}/invocations", {}, json.dumps(event), timeout)
    if headers.get("X-Amz-Function-Error"):
        raise Refused(f"{function}: {content[:200]!r}")
    return json.loads(content)
