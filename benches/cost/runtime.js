// A runtime as small as it can be, for the peer: the handler gives its event back, wrapped by failure-lambda where WRAPPED is set.
const http = require('http');
const [host, port] = process.env.AWS_LAMBDA_RUNTIME_API.split(':');
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
const wrap = process.env.WRAPPED ? require('failure-lambda') : (handler) => handler;
const handler = wrap(async (event) => event);

const call = (method, path, body) => new Promise((resolve, reject) => {
  const headers = body === undefined ? {} : { 'Content-Length': Buffer.byteLength(body) };
  const request = http.request({ host, port, method, path, agent, headers }, (answer) => {
    const pieces = [];
    answer.on('data', (piece) => pieces.push(piece));
    answer.on('end', () => resolve([answer.headers, Buffer.concat(pieces)]));
  });
  request.on('error', reject);
  request.setNoDelay(true);
  request.end(body);
});

(async () => {
  for (;;) {
    const [headers, event] = await call('GET', '/2018-06-01/runtime/invocation/next');
    const answer = await handler(JSON.parse(event), {});
    const id = headers['lambda-runtime-aws-request-id'];
    await call('POST', `/2018-06-01/runtime/invocation/${id}/response`, JSON.stringify(answer));
  }
})().catch(() => process.exit(1));
