"""The part of a Python runtime between the Runtime API and a handler, for machines without `awslambdaric`.

Errors, log lines and the context are as with that client. Source of the protocol: Lambda, "Using the Lambda runtime API".
"""

import decimal
import http.client
import importlib
import json
import logging
import math
import os
import sys
import time
import traceback

RUNTIME = "/2018-06-01/runtime"
ERROR_TYPE = "Lambda-Runtime-Function-Error-Type"
TIME = "%Y-%m-%dT%H:%M:%S"
IS_JSON = os.environ.get("AWS_LAMBDA_LOG_FORMAT", "").upper() == "JSON"
# These answer in ASCII, later ones in UTF-8.
IN_ASCII = {"AWS_Lambda_python3." + minor for minor in ("7", "8", "9", "10", "11")}


class Fault(Exception):
    """What the runtime itself has to complain of; its type has a name in Lambda."""

    def __init__(self, kind, message, trace=None):
        super().__init__(message)
        self.kind = "Runtime." + kind
        self.trace = trace


class Encoder(json.JSONEncoder):
    """Numbers of DynamoDB are numbers here too; of a fraction, the digits that a float has."""

    def default(self, value):
        if not isinstance(value, decimal.Decimal):
            return super().default(value)
        if value.is_nan():
            return math.nan
        is_whole = value.is_finite() and value.as_tuple().exponent >= 0
        return int(value) if is_whole else float(value)


encode = Encoder(ensure_ascii=os.environ.get("AWS_EXECUTION_ENV") in IN_ASCII).encode


class Api:
    """The Runtime API, over one connection."""

    def __init__(self):
        self.connection = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])

    def ask(self, method, path, body=None, headers=None):
        self.connection.request(method, RUNTIME + path, body, headers or {})
        answer = self.connection.getresponse()
        content = answer.read()
        # The API refuses an answer that is too large with 413, and the runtime goes on.
        if answer.status >= 500:
            sys.exit(f"the Runtime API answered {answer.status} to {path}")
        return answer.headers, content

    def fail(self, path, error):
        self.ask("POST", path, encode(error).encode(), {"Content-Type": "application/json", ERROR_TYPE: error["errorType"]})


class Fields:
    """An object with some of a dictionary's values as attributes, `None` where it has none."""

    names = ()

    def __init__(self, values):
        for name in self.names:
            setattr(self, name, values.get(name))

    def __repr__(self):
        return f"{type(self).__name__}([{','.join(f'{name}={getattr(self, name)}' for name in self.names)}])"


class Client(Fields):
    names = ("installation_id", "app_title", "app_version_name", "app_version_code", "app_package_name")


class ClientContext(Fields):
    names = ("custom", "env", "client")


class CognitoIdentity(Fields):
    names = ("cognito_identity_id", "cognito_identity_pool_id")


class LambdaContext:
    """What a handler learns of its invocation. Source: Lambda, "Using the Lambda context object to retrieve Python function information"."""

    def __init__(self, headers):
        variable = lambda name: os.environ.get("AWS_LAMBDA_" + name)
        self.aws_request_id = headers["Lambda-Runtime-Aws-Request-Id"]
        self.log_group_name = variable("LOG_GROUP_NAME")
        self.log_stream_name = variable("LOG_STREAM_NAME")
        self.function_name = variable("FUNCTION_NAME")
        self.memory_limit_in_mb = variable("FUNCTION_MEMORY_SIZE")
        self.function_version = variable("FUNCTION_VERSION")
        self.invoked_function_arn = headers["Lambda-Runtime-Invoked-Function-Arn"]
        self.tenant_id = headers["Lambda-Runtime-Aws-Tenant-Id"]
        client, identity = (of_header(headers, name) for name in ("Client-Context", "Cognito-Identity"))
        self.client_context = None if client is None else ClientContext(client)
        if client and client.get("client") is not None:
            self.client_context.client = Client(client["client"])
        identity = identity or {}
        names = {"cognito_identity_id": "cognitoIdentityId", "cognito_identity_pool_id": "cognitoIdentityPoolId"}
        self.identity = CognitoIdentity({name: identity.get(spelled) for name, spelled in names.items()})
        self._deadline_ms = int(headers["Lambda-Runtime-Deadline-Ms"])

    def get_remaining_time_in_millis(self):
        return max(0, self._deadline_ms - int(time.time() * 1000))

    def log(self, message):
        sys.stdout.write(str(message))


def of_header(headers, name):
    text = headers["Lambda-Runtime-" + name]
    try:
        return json.loads(text) if text else None
    except ValueError as error:
        raise Fault("LambdaContextUnmarshalError", f"Unable to parse {name.replace('-', ' ')} JSON: {error}") from None


def handler_of(name):
    """The function that `file.function` names."""
    module, dot, function = name.rpartition(".")
    if not dot:
        raise Fault("MalformedHandlerName", f"Bad handler '{name}': not enough values to unpack (expected 2, got 1)")
    if module.split(".")[0] in sys.builtin_module_names:
        raise Fault("BuiltInModuleConflict", f"Cannot use built-in module {module} as a handler module")
    try:
        found = importlib.import_module(module.replace("/", "."))
    except ImportError as error:
        raise Fault("ImportModuleError", f"Unable to import module '{module}': {error}") from None
    except SyntaxError as error:
        trace = [f'  File "{error.filename}" Line {error.lineno}\n    {error.text}']
        raise Fault("UserCodeSyntaxError", f"Syntax error in module '{module}': {error}", trace) from None
    if not hasattr(found, function):
        raise Fault("HandlerNotFound", f"Handler '{function}' missing on module '{module}'")
    return getattr(found, function)


def described(error, request=""):
    """An exception as Lambda hands it to the caller. The frames of this file are left out."""
    if isinstance(error, Fault):
        kind, trace = error.kind, error.trace or []
    else:
        frames = traceback.extract_tb(error.__traceback__)
        own = next((at for at, frame in enumerate(frames) if frame.filename != __file__), 0)
        kind, trace = type(error).__name__, traceback.format_list(frames[own:])
    return {"errorMessage": str(error), "errorType": kind, "requestId": request, "stackTrace": trace}


def log_error(error):
    if IS_JSON:
        print(encode({"timestamp": time.strftime(TIME + "Z", time.gmtime()), "level": "ERROR", **error}))
        return
    lines = [f"[ERROR] {error['errorType']}: {error['errorMessage']}", "Traceback (most recent call last):"]
    for line in "".join(error["stackTrace"]).splitlines():
        # So that one event of the log holds all of them.
        lines.append("\u00a0" * (len(line) - len(line.lstrip(" "))) + line.lstrip(" "))
    print("\r".join(lines))


class Formatter(logging.Formatter):
    """A line of a function whose log format is JSON."""

    known = set(vars(logging.makeLogRecord({}))) | {"aws_request_id", "message", "asctime"}

    def format(self, record):
        kind, error, trace = record.exc_info or (None, None, None)
        line = {
            "timestamp": self.formatTime(record, TIME + "Z"),
            "level": record.levelname,
            "message": record.msg if isinstance(record.msg, dict) and not record.args else record.getMessage(),
            "logger": record.name,
            "stackTrace": traceback.format_tb(trace) if trace else None,
            "errorType": kind.__name__ if kind else None,
            "errorMessage": str(error) if kind else None,
            "requestId": record.aws_request_id,
            "location": f"{record.pathname}:{record.funcName}:{record.lineno}" if kind else None,
        }
        more = {name: value for name, value in vars(record).items() if name not in self.known and name not in line}
        return json.dumps({name: value for name, value in {**line, **more}.items() if value is not None}, ensure_ascii=False, default=str)


class Log(logging.StreamHandler):
    """Standard output, with the id of the request on each record."""

    request = ""

    def __init__(self):
        super().__init__(sys.stdout)
        text = "[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s"
        self.setFormatter(Formatter() if IS_JSON else logging.Formatter(text, TIME))

    def emit(self, record):
        record.aws_request_id = self.request
        super().emit(record)


def log_to_standard_output():
    logging.Formatter.converter = time.gmtime
    log, root = Log(), logging.getLogger()
    level = os.environ.get("AWS_LAMBDA_LOG_LEVEL", "").upper().replace("TRACE", "DEBUG")
    if isinstance(logging.getLevelName(level), int):
        root.setLevel(level)
    root.addHandler(log)
    return log


def answered(handler, headers, body):
    """What the handler returns, in bytes, and its type."""
    context = LambdaContext(headers)
    try:
        event = json.loads(body)
    except ValueError as error:
        raise Fault("UnmarshalError", f"Unable to unmarshal input: {error}") from None
    result = handler(event, context)
    if isinstance(result, bytes):
        return result, "application/unknown"
    try:
        return encode(result).encode(), "application/json"
    except Exception as error:
        raise Fault("MarshalError", f"Unable to marshal response: {error}") from None


def serve(api, handler, log):
    """One invocation."""
    headers, body = api.ask("GET", "/invocation/next")
    log.request = request = headers["Lambda-Runtime-Aws-Request-Id"]
    os.environ.pop("_X_AMZN_TRACE_ID", None)
    if headers["Lambda-Runtime-Trace-Id"]:
        os.environ["_X_AMZN_TRACE_ID"] = headers["Lambda-Runtime-Trace-Id"]
    try:
        result, kind = answered(handler, headers, body)
    except Exception as error:
        error = described(error, request)
        log_error(error)
        api.fail(f"/invocation/{request}/error", error)
    else:
        api.ask("POST", f"/invocation/{request}/response", result, {"Content-Type": kind})


def main():
    # In place of this file's folder.
    sys.path[0] = os.environ.get("LAMBDA_TASK_ROOT", os.getcwd())
    sys.stdout.reconfigure(write_through=True, line_buffering=True)
    api, log = Api(), log_to_standard_output()
    try:
        handler = handler_of(os.environ["_HANDLER"])
    except Exception as error:
        error = described(error)
        log_error(error)
        api.fail("/init/error", error)
        sys.exit(1)
    while True:
        serve(api, handler, log)


if __name__ == "__main__":
    main()
