"""Makes an event of every kind."""

import json
import os

import boto3

sqs, sns, s3, kinesis = (boto3.client(name) for name in ("sqs", "sns", "s3", "kinesis"))
events, dynamodb = boto3.client("events"), boto3.resource("dynamodb")


def handler(event, context):
    plain, fifo = (sqs.get_queue_url(QueueName=name)["QueueUrl"] for name in ("plain", "plain.fifo"))
    attributes = {"kind": {"DataType": "String", "StringValue": "order"}, "n": {"DataType": "Number", "StringValue": "1"}}
    sqs.send_message(QueueUrl=plain, MessageBody="one", MessageAttributes=attributes)
    sqs.send_message(QueueUrl=fifo, MessageBody="one", MessageGroupId="g")
    sns.publish(TopicArn=os.environ["TOPIC"], Subject="s", Message="one", MessageAttributes=attributes)
    s3.put_object(Bucket=os.environ["BUCKET"], Key="a folder/one+1.txt", Body=b"one")
    detail = json.dumps({"id": "one"})
    events.put_events(Entries=[{"EventBusName": os.environ["BUS"], "Source": "shop", "DetailType": "d", "Detail": detail}])
    names = ["one", "bad", "two"]
    orders = [json.dumps({"id": name, "amount": 1}) for name in names]
    entries = [{"Id": str(n), "MessageBody": order} for n, order in enumerate(orders)]
    entries.append({"Id": "9", "MessageBody": '{"id": "unread", "amount": "many"}'})
    sqs.send_message_batch(QueueUrl=os.environ["QUEUE"], Entries=entries)
    grouped = [{"Id": str(n), "MessageBody": order, "MessageGroupId": "g"} for n, order in enumerate(orders[::2])]
    sqs.send_message_batch(QueueUrl=os.environ["FIFO"], Entries=grouped)
    kinesis.put_records(StreamName=os.environ["STREAM"], Records=[{"Data": order, "PartitionKey": "g"} for order in orders])
    for name in names:
        dynamodb.Table("changing").put_item(Item={"id": name})
