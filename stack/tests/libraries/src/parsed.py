"""Reads events with the models of Powertools' parser, and says what a model does not take."""

import json
import os

import boto3
from aws_lambda_powertools.utilities.parser import models, parse
from pydantic import ValidationError

MODELS = {
    "aws:sqs": models.SqsModel,
    "aws:sns": models.SnsModel,
    "aws:s3": models.S3Model,
    "aws:dynamodb": models.DynamoDBStreamModel,
    "aws:kinesis": models.KinesisDataStreamModel,
}


def complaints(event, model):
    try:
        parse(event=event, model=model)
    except ValidationError as wrong:
        return [f"{'.'.join(str(part) for part in error['loc'])}: {error['msg']}" for error in wrong.errors()]
    return []


def answer(event, context):
    model = models.APIGatewayProxyEventModel
    if event.get("version") == "2.0":
        is_url = ".lambda-url." in event["requestContext"]["domainName"]
        model = models.LambdaFunctionUrlModel if is_url else models.APIGatewayProxyEventV2Model
    return {"statusCode": 200, "body": json.dumps([model.__name__, complaints(event, model)])}


def store(event, context):
    source, name, model = event.get("source"), "rule", models.EventBridgeModel
    if source is None:
        record = event["Records"][0]
        source = record.get("eventSource") or record["EventSource"]
        name, model = record.get("eventSourceARN", source).split(":", 5)[-1], MODELS[source]
    rows = boto3.resource("dynamodb").Table(os.environ["TABLE"])
    rows.put_item(Item={"id": f"parsed {source} {name}", "wrong": complaints(event, model)})
