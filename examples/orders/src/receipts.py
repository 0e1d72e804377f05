"""Notes in the table that the receipt of an order is stored."""

import os
from urllib.parse import unquote_plus

import boto3

table = boto3.resource("dynamodb").Table(os.environ["ORDERS"])


def note(event, _context):
    for record in event["Records"]:
        key = unquote_plus(record["s3"]["object"]["key"])
        table.update_item(
            Key={"id": key.removesuffix(".json")},
            UpdateExpression="SET receipt = :key",
            ExpressionAttributeValues={":key": key},
        )
