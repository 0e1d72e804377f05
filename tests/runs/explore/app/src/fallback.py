"""Orders that are put into a queue when the table fails, and stored from there. The weakness is one that
only two faults show: if the queue fails too, nobody is told. `MENDED` says whether it is mended."""

import json
import os

import aws


def place(event, _context):
    order = json.loads(event["body"])["key"]
    try:
        aws.put(os.environ["ORDERS"], id=order)
    except aws.Refused:
        later(order)
    return {"statusCode": 201, "headers": {"Content-Type": "application/json"}, "body": json.dumps({"id": order})}


def later(order):
    try:
        aws.send(os.environ["LATE"], {"id": order})
    except aws.Refused as error:
        # The caller believes that the order is at least on its way.
        print(f"not even queued: {error}", flush=True)
        if os.environ["MENDED"]:
            raise


def store(event, _context):
    for record in event["Records"]:
        aws.put(os.environ["ORDERS"], id=json.loads(record["body"])["id"])
