// An Express application behind serverless-http, as its first page of documentation has it. It answers as `web.py` does.

const express = require('express');
const serverless = require('serverless-http');

const PICTURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x00, 0xff]);
const app = express();

const all = (value) => [].concat(value ?? []);
const cookies = (request) => Object.fromEntries((request.get('cookie') ?? '').split('; ').map((cookie) => cookie.split('=')));

app.get('/', (_, response) => response.json({ hello: 'world' }));

app.get('/items/:item', (request, response) => {
  const { params, query, ip } = request;
  response.json({ item: params.item, colours: all(query.colour), session: cookies(request).session, token: request.get('x-token'), peer: ip });
});

app.post('/items', express.json(), (request, response) => {
  const { id, amount } = request.body;
  if (amount === undefined) return response.status(422).json({ detail: [{ loc: ['body', 'amount'] }] });
  response.cookie('session', '1').cookie('basket', '2', { httpOnly: true });
  response.status(201).location(`/items/${id}`).json({ id, amount });
});

app.post('/form', express.text({ type: '*/*' }), (request, response) => response.json({ body: request.body }));

app.get('/old/items/:item', ({ params, query }, response) => response.json({ item: params.item, colours: all(query.colour) }));

app.get('/picture', (_, response) => response.type('png').send(PICTURE));

app.all('/picture', (_, response) => response.sendStatus(405));

app.post('/echo', express.raw({ type: 'image/png' }), (request, response) => response.type('png').send(request.body));

app.get('/moved', (_, response) => response.redirect(307, '/items/1'));

app.delete('/items/:item', (_, response) => response.sendStatus(204));

app.use((_, response) => response.status(404).json({ detail: 'Not Found' }));

const binary = ['image/png'];
exports.handler = serverless(app, { binary });
exports.staged = serverless(app, { binary, basePath: '/v1' });
