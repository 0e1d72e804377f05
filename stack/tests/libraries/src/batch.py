"""Powertools' batch processing: a record whose text begins with `bad` fails, and no other."""

import os

import boto3
from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.batch import (
    BatchProcessor,
    EventType,
    SqsFifoPartialProcessor,
    process_partial_response,
)
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.parser import BaseModel
from aws_lambda_powertools.utilities.parser.models import SqsRecordModel
from aws_lambda_powertools.utilities.parser.types import Json

logger = Logger()
rows = boto3.resource("dynamodb").Table(os.environ["TABLE"])


class Order(BaseModel):
    id: str
    amount: int


class OrderRecord(SqsRecordModel):
    body: Json[Order]


PROCESSORS = {
    "sqs": (BatchProcessor(event_type=EventType.SQS, model=OrderRecord), lambda record: record.body.id),
    "fifo": (SqsFifoPartialProcessor(), lambda record: record.json_body["id"]),
    "kinesis": (BatchProcessor(event_type=EventType.KinesisDataStreams), lambda record: record.kinesis.data_as_json()["id"]),
    "dynamodb": (BatchProcessor(event_type=EventType.DynamoDBStreams), lambda record: record.dynamodb.new_image["id"]),
}


def done(source, name):
    if name.startswith("bad"):
        raise ValueError(name)
    rows.update_item(
        Key={"id": f"{source} {name}"}, UpdateExpression="ADD times :one", ExpressionAttributeValues={":one": 1}
    )


def handler(event, context) -> PartialItemFailureResponse:
    record = event["Records"][0]
    kind = record["eventSource"].removeprefix("aws:")
    if record["eventSourceARN"].endswith(".fifo"):
        kind = "fifo"
    processor, name = PROCESSORS[kind]
    process = lambda record: done(kind, name(record))
    return process_partial_response(event=event, record_handler=process, processor=processor, context=context)
