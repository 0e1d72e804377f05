"""Powertools' idempotency over a table: the same order is carried out once."""

import os

import boto3
from aws_lambda_powertools.utilities.idempotency import DynamoDBPersistenceLayer, IdempotencyConfig, idempotent

rows = boto3.resource("dynamodb").Table(os.environ["TABLE"])
layer = DynamoDBPersistenceLayer(table_name=os.environ["ONCE"])
config = IdempotencyConfig(event_key_jmespath="order", payload_validation_jmespath="amount", expires_after_seconds=3600)


@idempotent(persistence_store=layer, config=config)
def handler(event, context):
    key = {"id": f"once {event['order']}"}
    counted = rows.update_item(
        Key=key, UpdateExpression="ADD times :one", ExpressionAttributeValues={":one": 1}, ReturnValues="UPDATED_NEW"
    )
    if event.get("fails"):
        raise ValueError("as asked")
    return {"times": int(counted["Attributes"]["times"])}
