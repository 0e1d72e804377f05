"""Orders: placed over HTTP, charged by another function, shipped by a worker behind a queue. Each
weakness is one that real code has, and `MENDED` names those that are mended."""

import json
import os
import uuid

import aws


def is_mended(weakness):
    return weakness in os.environ["MENDED"].split(",")


def answer(status, body):
    return {"statusCode": status, "headers": {"Content-Type": "application/json"}, "body": json.dumps(body)}


def place(event, _context):
    order = json.loads(event["body"])["key"]
    # Shorter than the function it calls may take, so that a slow one is called again.
    patience = 5 if is_mended("patience") else 2
    aws.invoke(os.environ["CHARGE"], {"order": order}, timeout=patience)
    try:
        aws.put(os.environ["ORDERS"], id=order, state="PLACED")
    except aws.Refused as error:
        # A log line is not an answer: the caller believes that the order is stored.
        print(f"not stored: {error}", flush=True)
        if is_mended("swallowed"):
            raise
    aws.send(os.environ["QUEUE"], {"id": order})
    return answer(201, {"id": order})


def charge(event, _context):
    order = event["order"]
    aws.put(os.environ["CHARGES"], id=order if is_mended("patience") else str(uuid.uuid4()), order=order)
    return {"charged": order}


def look(event, _context):
    order = event["pathParameters"]["id"]
    found = aws.get(os.environ["ORDERS"], order)
    if found is None:
        return answer(404, {"message": "there is no such order"})
    return answer(200, found)


def ship(event, _context):
    for record in event["Records"]:
        order = json.loads(record["body"])["id"]
        if aws.get(os.environ["ORDERS"], order) is None:
            print(f"there is no order {order}", flush=True)
            continue
        # A second delivery must not ship a second parcel.
        aws.put(os.environ["PARCELS"], id=order if is_mended("duplicates") else str(uuid.uuid4()), order=order)
        aws.put(os.environ["ORDERS"], id=order, state="SHIPPED")
