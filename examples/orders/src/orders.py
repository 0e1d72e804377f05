"""Places orders, and shows them."""

import json
import os
import uuid

import boto3

table = boto3.resource("dynamodb").Table(os.environ["ORDERS"])
sqs = boto3.client("sqs")
functions = boto3.client("lambda")


def answer(status, body):
    return {"statusCode": status, "headers": {"Content-Type": "application/json"}, "body": json.dumps(body)}


def place(event, _context):
    try:
        order = json.loads(event["body"] or "")
        item = {"id": str(order.get("key") or uuid.uuid4()), "customer": order["customer"], "amount": int(order["amount"]), "state": "PLACED"}
    except (ValueError, KeyError, TypeError):
        return answer(400, {"message": "an order has a customer and an amount"})
    if not has_credit(item):
        return answer(402, {"message": "there is not enough credit"})
    table.put_item(Item=item)
    sqs.send_message(QueueUrl=os.environ["SHIPMENTS"], MessageBody=json.dumps({"id": item["id"]}))
    return answer(201, {"id": item["id"], "state": item["state"]})


def has_credit(item):
    event = {"customer": item["customer"], "amount": item["amount"]}
    answered = functions.invoke(FunctionName=os.environ["CREDIT"], Payload=json.dumps(event))
    # What is not known is no credit.
    return "FunctionError" not in answered and json.load(answered["Payload"])["enough"]


def look(event, _context):
    found = table.get_item(Key={"id": event["pathParameters"]["id"]}, ConsistentRead=True).get("Item")
    if found is None:
        return answer(404, {"message": "there is no such order"})
    return answer(200, {"id": found["id"], "state": found["state"], "amount": int(found["amount"])})
