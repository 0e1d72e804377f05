// Return what they were given, fail, or stream, as the event asks: the functions for testing a
// runtime. They make no calls.

import { existsSync } from 'node:fs';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';

const PIECE = 64 * 1024;

class Refused extends Error {
  name = 'Refused';
}

export const handler = async (event, context) => {
  switch (event.do) {
    case 'raise':
      throw new Refused('as asked');
    case 'sleep':
      await sleep(event.ms);
      break;
    case 'exit':
      process.exit(event.code);
  }
  return {
    requestId: context.awsRequestId,
    deadlineMs: Date.now() + context.getRemainingTimeInMillis(),
    arn: context.invokedFunctionArn,
    trace: process.env._X_AMZN_TRACE_ID,
    event,
  };
};

// `bytes` of text. The second piece waits until the file `gate` exists, and the stream ends with an
// error if `fail` is true.
export const streaming = globalThis.awslambda?.streamifyResponse(async (event, stream) => {
  stream.setContentType('application/octet-stream');
  let gate = event.gate;
  for (let left = event.bytes; left > 0; left -= PIECE) {
    if (!stream.write('x'.repeat(Math.min(left, PIECE)))) await once(stream, 'drain');
    while (gate && !existsSync(gate)) await sleep(5);
    gate = undefined;
  }
  if (event.fail) throw new Refused('as asked, in mid-stream');
  stream.end();
  await stream.finished?.();
});
