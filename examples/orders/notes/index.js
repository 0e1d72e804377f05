// Keeps what a customer says about an order.
'use strict';

const { DynamoDBClient, UpdateItemCommand } = require('@aws-sdk/client-dynamodb');

const database = new DynamoDBClient();

const answer = (statusCode, body) => ({ statusCode, headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) });

exports.keep = async (event) => {
  const text = written(event.body);
  if (text === undefined) return answer(400, { message: 'a note has a text' });
  const id = event.pathParameters.id;
  try {
    await store(id, text);
  } catch (error) {
    if (error.name === 'ConditionalCheckFailedException') return answer(404, { message: 'there is no such order' });
    throw error;
  }
  return answer(200, { id, note: text });
};

function written(body) {
  try {
    const { text } = JSON.parse(body);
    return typeof text === 'string' ? text : undefined;
  } catch {
    return undefined;
  }
}

function store(id, text) {
  return database.send(
    new UpdateItemCommand({
      TableName: process.env.ORDERS,
      Key: { id: { S: id } },
      UpdateExpression: 'SET note = :text',
      ConditionExpression: 'attribute_exists(id)',
      ExpressionAttributeValues: { ':text': { S: text } },
    }),
  );
}
