"""Ships each order once, and stores its receipt."""

import json
import os

import boto3

table = boto3.resource("dynamodb").Table(os.environ["ORDERS"])
s3 = boto3.client("s3")


def ship(event, _context):
    failed = []
    for record in event["Records"]:
        try:
            shipped(json.loads(record["body"])["id"])
        except Exception as error:  # the rest of the batch must not wait for this one
            print(f"not shipped: {error}")
            failed.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failed}


def shipped(order):
    # Writing the same receipt twice does no harm.
    s3.put_object(Bucket=os.environ["RECEIPTS"], Key=f"{order}.json", Body=json.dumps({"order": order}))
    table.update_item(
        Key={"id": order},
        UpdateExpression="SET #state = :shipped, parcels = :one",
        ExpressionAttributeNames={"#state": "state"},
        ExpressionAttributeValues={":shipped": "SHIPPED", ":one": 1},
    )
