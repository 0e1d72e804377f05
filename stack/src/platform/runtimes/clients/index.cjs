// The part of a Node.js runtime between the Runtime API and a handler, for machines without `aws-lambda-ric`.
// Errors, log lines and the context are as with that client. Sources: Lambda, "Using the Lambda runtime API" and
// "Using a custom runtime with response streaming".
'use strict';

const fs = require('node:fs');
const http = require('node:http');
const path = require('node:path');
const util = require('node:util');
const { pathToFileURL } = require('node:url');

const RUNTIME = '/2018-06-01/runtime';
const ERROR_TYPE = 'Lambda-Runtime-Function-Error-Type';
const ERROR_BODY = 'Lambda-Runtime-Function-Error-Body';
const STREAMING = Symbol.for('aws.lambda.runtime.handler.streaming');
// Of these variables, not of a function's own.
const variable = (name) => process.env[`AWS_LAMBDA_${name}`];
const [host, port] = process.env.AWS_LAMBDA_RUNTIME_API.split(':');
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });

/** What the runtime itself has to complain of; its type has a name in Lambda. */
class Fault extends Error {
  constructor(name, message) {
    super(message);
    Object.defineProperty(this, 'name', { value: `Runtime.${name}` });
  }
}

// The Runtime API.

function request(method, to, headers, using, answered) {
  return http.request({ host, port, method, path: RUNTIME + to, headers, agent: using }, answered);
}

/** Resolves with the answer. Errors are told on a connection of their own, for the other one may wait for the next event. */
function ask(method, to, body, headers = {}, using = agent) {
  return new Promise((resolve, reject) => {
    const asked = request(method, to, headers, using, (answer) => {
      const pieces = [];
      answer.on('data', (piece) => pieces.push(piece)).on('error', reject);
      // The API refuses an answer that is too large with 413, and the runtime goes on.
      answer.on('end', () => {
        if (answer.statusCode < 500) resolve({ headers: answer.headers, body: Buffer.concat(pieces).toString() });
        else reject(new Error(`the Runtime API answered ${answer.statusCode} to ${to}`));
      });
    });
    asked.on('error', reject).end(body);
  });
}

const post = (to, text, headers, using) =>
  ask('POST', to, text, { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(text), ...headers }, using);

// Where this file is on AWS.
const shown = (text) => String(text).replaceAll(__filename, '/var/runtime/index.mjs');

/** An error as Lambda hands it to the caller. */
function described(error) {
  if (util.types.isNativeError(error) || (error?.name && error.message && error.stack)) {
    return { errorType: error.name, errorMessage: shown(error.message), trace: shown(error.stack).split('\n') };
  }
  return { errorType: typeof error, errorMessage: String(error), trace: [] };
}

// A header takes no character beyond ASCII.
const inHeader = (text) => encodeURIComponent(text).replace(/%(2F|3A|20|2C|40)/g, (c) => decodeURIComponent(c));

function postError(to, error, using) {
  const told = described(error);
  return post(to, JSON.stringify(told), { [ERROR_TYPE]: inHeader(told.errorType) }, using);
}

// Logs.

const LEVELS = ['TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL'];
const isJson = (variable('LOG_FORMAT') ?? '').toUpperCase() === 'JSON';
let current;

const ofError = (error) => ({
  errorType: error.constructor?.name ?? 'UnknownError',
  errorMessage: shown(error.message),
  stackTrace: typeof error.stack === 'string' ? shown(error.stack).split('\n') : [],
});

function asJson(level, timestamp, parameters) {
  const line = { timestamp, level, requestId: current };
  const replaced = (_, value) => (value instanceof Error ? { ...ofError(value), ...value } : value);
  if (parameters.length === 1) {
    try {
      return JSON.stringify({ ...line, message: parameters[0] }, replaced);
    } catch {
      // Not a value of JSON, such as a circle.
    }
  }
  const error = parameters.length > 1 ? parameters.find((one) => one instanceof Error) : undefined;
  return JSON.stringify({ ...line, message: util.format(...parameters), ...(error && ofError(error)) });
}

function log(level, parameters) {
  const time = new Date().toISOString();
  const line = isJson ? asJson(level, time, parameters) : `${time}\t${current}\t${level}\t${util.format(...parameters)}`;
  // So that one event of the log holds all of its lines.
  process.stdout.write(`${line.replace(/\n/g, '\r')}\n`);
}

function patchConsole() {
  const least = Math.max(0, LEVELS.indexOf((variable('LOG_LEVEL') ?? '').toUpperCase()));
  for (const [at, level] of LEVELS.entries()) {
    console[level.toLowerCase()] = at < least ? () => {} : (...parameters) => log(level, parameters);
  }
  console.log = console.info;
}

function logError(what, error) {
  const thrown = error instanceof Error ? error : new Error(error);
  const text = () => {
    const { name: errorType, message, code } = thrown;
    return `\t${JSON.stringify({ errorType, errorMessage: shown(message), code, ...thrown, stack: shown(thrown.stack).split('\n') })}`;
  };
  if (isJson) console.error(thrown);
  else console.error(what, text());
}

// The handler.

/** Whether the nearest package makes a `.js` file an ES module. */
function isModule(folder) {
  const file = path.join(folder, 'package.json');
  if (folder.endsWith('/node_modules')) return false;
  if (fs.existsSync(file)) {
    try {
      return JSON.parse(fs.readFileSync(file)).type === 'module';
    } catch (error) {
      console.warn(`${file} cannot be read, it will be ignored for ES module detection purposes.`, error);
      return false;
    }
  }
  return folder === '/' ? false : isModule(path.dirname(folder));
}

async function load(root, folder, name) {
  const file = path.resolve(root, folder, name);
  const isFile = (extension) => fs.existsSync(file + extension);
  const imported = (extension) => import(pathToFileURL(file + extension).href);
  if (isFile('')) return require(file);
  if (isFile('.js')) return isModule(path.dirname(file)) ? imported('.js') : require(`${file}.js`);
  if (isFile('.mjs')) return imported('.mjs');
  if (isFile('.cjs')) return require(`${file}.cjs`);
  return require(require.resolve(name, { paths: [root, path.resolve(root, folder)] }));
}

/** The function that `folder/file.function` names. */
async function handlerOf(root, whole) {
  if (whole.includes('..')) {
    const use = 'Use absolute paths when specifying root directories in handler names.';
    throw new Fault('MalformedHandlerName', `'${whole}' is not a valid handler name. ${use}`);
  }
  const base = path.basename(whole);
  const dot = base.indexOf('.');
  if (dot < 0) throw new Fault('MalformedHandlerName', 'Bad handler');
  let found;
  try {
    found = await load(root, whole.slice(0, whole.length - base.length), base.slice(0, dot));
  } catch (error) {
    if (error instanceof SyntaxError) throw new Fault('UserCodeSyntaxError', String(error));
    if (error?.code === 'MODULE_NOT_FOUND') throw new Fault('ImportModuleError', String(error));
    throw error;
  }
  const handler = base.slice(dot + 1).split('.').reduce((inner, key) => inner?.[key], found);
  if (!handler) throw new Fault('HandlerNotFound', `${whole} is undefined or not exported`);
  if (typeof handler !== 'function') throw new Fault('HandlerNotFound', `${whole} is not a function`);
  return handler;
}

// What a handler that streams may use.

globalThis.awslambda = {
  streamifyResponse: (handler) => Object.assign(handler, { [STREAMING]: 'response' }),
  HttpResponseStream: {
    from(stream, prelude) {
      stream.setContentType('application/vnd.awslambda.http-integration-response');
      stream._onBeforeFirstWrite = (write) => write(Buffer.concat([Buffer.from(JSON.stringify(prelude)), Buffer.alloc(8)]));
      return stream;
    },
  },
};

/** The stream whose pieces are the answer, and a promise of the end of the whole request. */
function responseStream(id) {
  let stream;
  const done = new Promise((resolve, reject) => {
    const headers = {
      'Content-Type': 'application/octet-stream',
      'Lambda-Runtime-Function-Response-Mode': 'streaming',
      Trailer: [ERROR_TYPE, ERROR_BODY],
    };
    stream = request('POST', `/invocation/${id}/response`, headers, agent, (answer) => answer.on('error', reject).on('end', resolve).resume());
    stream.on('error', reject);
  });
  // Who awaits it hears of a failure; the handler need not.
  done.catch(() => {});
  let begun = false;
  const write = stream.write.bind(stream);
  stream.write = (piece, ...more) => {
    if (!begun) stream._onBeforeFirstWrite?.(write);
    begun = true;
    const isPlain = typeof piece === 'string' || piece instanceof Uint8Array;
    return write(isPlain ? piece : JSON.stringify(piece), ...more);
  };
  const end = stream.end.bind(stream);
  stream.end = (piece, ...more) => {
    if (typeof piece === 'function' || piece === undefined || piece === null) return end(...(typeof piece === 'function' ? [piece] : []));
    stream.write(piece);
    return end(...more.filter((one) => typeof one === 'function'));
  };
  stream.setContentType = (type) => {
    if (begun) throw new Fault('InvalidStreamingOperation', 'Cannot set content-type, too late.');
    stream.setHeader('Content-Type', type);
  };
  stream.fail = (error) => {
    const told = described(error);
    stream.addTrailers({ [ERROR_TYPE]: inHeader(told.errorType), [ERROR_BODY]: Buffer.from(JSON.stringify(told)).toString('base64') });
    end();
    return done;
  };
  return { stream, done };
}

// Invocations.

let whenIdle = () => {};
let whereToFail = '/init/error';

function parsed(text, name) {
  try {
    return text === undefined ? undefined : JSON.parse(text);
  } catch (error) {
    throw new Error(`Cannot parse ${name} as json: ${error}`);
  }
}

/** Source: Lambda, "Using the Lambda context object to retrieve Node.js function information". */
function contextOf(headers) {
  const of = (name) => headers[`lambda-runtime-${name}`];
  if (of('trace-id')) process.env._X_AMZN_TRACE_ID = of('trace-id');
  else delete process.env._X_AMZN_TRACE_ID;
  return {
    functionVersion: variable('FUNCTION_VERSION'),
    functionName: variable('FUNCTION_NAME'),
    memoryLimitInMB: variable('FUNCTION_MEMORY_SIZE'),
    logGroupName: variable('LOG_GROUP_NAME'),
    logStreamName: variable('LOG_STREAM_NAME'),
    clientContext: parsed(of('client-context'), 'ClientContext'),
    identity: parsed(of('cognito-identity'), 'CognitoIdentity'),
    invokedFunctionArn: of('invoked-function-arn'),
    awsRequestId: of('aws-request-id'),
    tenantId: of('aws-tenant-id'),
    getRemainingTimeInMillis: () => of('deadline-ms') - Date.now(),
  };
}

/** Ways to end an invocation: the first that is called counts. */
function endings(id, then) {
  let waits = true;
  let ended = false;
  const failed = (error) => {
    logError('Invoke Error', error);
    postError(`/invocation/${id}/error`, error).then(then, fatal);
  };
  const answered = (result) => {
    let text;
    try {
      text = JSON.stringify(result === undefined ? null : result) ?? 'null';
    } catch {
      throw new Error('Unable to stringify response body');
    }
    post(`/invocation/${id}/response`, text).then(then, fatal);
  };
  const once = (end) => (...results) => {
    if (ended) return;
    whenIdle = () => {};
    end(...results);
    ended = true;
  };
  const done = once((error, result) => (error === undefined || error === null ? answered(result) : failed(error)));
  const later = once((error, result) => {
    if (error !== undefined && error !== null) failed(error);
    else if (waits) whenIdle = () => setImmediate(answered, result);
    else answered(result);
  });
  return {
    callback: later,
    nothing: () => done(null, null),
    context: {
      get callbackWaitsForEmptyEventLoop() {
        return waits;
      },
      set callbackWaitsForEmptyEventLoop(value) {
        waits = value;
      },
      succeed: (result) => done(null, result),
      fail: (error) => done(error ?? 'handled'),
      done,
    },
  };
}

function answer(handler, { headers, body }, id, then) {
  const { callback, nothing, context } = endings(id, then);
  // A handler that neither answers nor waits for anything has the answer null.
  whenIdle = nothing;
  try {
    const event = JSON.parse(body);
    const result = handler(event, Object.defineProperties(contextOf(headers), Object.getOwnPropertyDescriptors(context)), callback);
    if (typeof result?.then === 'function') result.then(context.succeed, context.fail).catch(context.fail);
  } catch (error) {
    callback(error);
  }
}

async function stream(handler, { headers, body }, id, then) {
  const { stream, done } = responseStream(id);
  whenIdle = then;
  let waits = true;
  try {
    const context = Object.defineProperty(contextOf(headers), 'callbackWaitsForEmptyEventLoop', { get: () => waits, set: (value) => (waits = value) });
    const result = handler(JSON.parse(body), stream, context);
    if (typeof result?.then !== 'function') throw 'Streaming does not support non-async handlers.';
    if ((await result) !== undefined) console.warn('Streaming handlers ignore return values.');
    await done;
  } catch (error) {
    logError('Invoke Error', error);
    await stream.fail(error).catch(fatal);
  }
  whenIdle = () => {};
  if (waits) whenIdle = () => setImmediate(then);
  else then();
}

async function next(handler) {
  const invocation = await ask('GET', '/invocation/next');
  const id = encodeURIComponent(invocation.headers['lambda-runtime-aws-request-id']);
  current = invocation.headers['lambda-runtime-aws-request-id'];
  whereToFail = `/invocation/${id}/error`;
  const then = () => {
    whenIdle = () => {};
    next(handler).catch(fatal);
  };
  await (handler[STREAMING] ? stream : answer)(handler, invocation, id, then);
}

/** Ends the process, once the Runtime API has been told. */
function end(error, code) {
  const exit = () => process.exit(code);
  postError(whereToFail, error, false).then(exit, exit);
}

function fatal(error) {
  logError('Uncaught Exception', error);
  end(error, 129);
}

patchConsole();
process.on('uncaughtException', fatal);
process.on('unhandledRejection', (reason) => {
  const error = Object.assign(new Fault('UnhandledPromiseRejection', String(reason)), { reason });
  logError('Unhandled Promise Rejection', error);
  end(error, 128);
});
process.on('beforeExit', () => whenIdle());
handlerOf(process.env.LAMBDA_TASK_ROOT ?? process.cwd(), process.env._HANDLER).then(next).catch(fatal);
