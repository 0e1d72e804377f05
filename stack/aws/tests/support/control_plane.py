"""A control plane of Lambda and SSM in this process, strict where the scripts lean on it: revisions, updates in progress, quotas, versions.

Its clock is the one that is handed in, so that an update takes time only where somebody waits for it.
"""
import hashlib
import http.server
import json
import re
import threading
import uuid
from urllib.parse import unquote

UPDATE_TAKES = 3
MOST_LAYERS = 5
MOST_BYTES = 4096
RESERVED = {"AWS_REGION", "AWS_LAMBDA_RUNTIME_API", "AWS_ACCESS_KEY_ID", "_HANDLER", "LAMBDA_TASK_ROOT"}


class Refused(Exception):
    def __init__(self, status, code, message=""):
        super().__init__(message)
        self.status, self.code = status, code


class ControlPlane:
    def __init__(self, now):
        self.now, self.functions, self.parameters, self.edited, self.plans, self.updates = now, {}, {}, [], [], 0

    def reset(self, functions, parameters):
        self.edited, self.plans, self.updates = [], [], 0
        self.functions = {one["name"]: {**one, "revision": str(uuid.uuid4()), "ready": 0} for one in functions}
        self.parameters = {name: {"Value": text, "Version": 1, "at": self.now()} for name, text in parameters.items()}

    def state(self):
        functions = {name: {"variables": one["variables"], "layers": one["layers"]} for name, one in self.functions.items()}
        return {"functions": functions, "edited": self.edited, "plans": self.plans, "updates": self.updates, "parameters": {name: one["Value"] for name, one in self.parameters.items()}}

    # Lambda

    def function(self, path):
        name = unquote(path).split(":")[-1]
        if name not in self.functions:
            raise Refused(404, "ResourceNotFoundException", name)
        return self.functions[name]

    def described(self, function):
        settled = {"variables": function["variables"], "layers": function["layers"]}
        digest = hashlib.sha256(json.dumps(settled, sort_keys=True).encode()).hexdigest()
        answer = {
            "FunctionName": function["name"],
            "RevisionId": function["revision"],
            "State": "Active",
            "Architectures": [function.get("architecture", "x86_64")],
            "PackageType": function.get("package", "Zip"),
            "Runtime": function.get("runtime", "python3.13"),
            "LastUpdateStatus": "InProgress" if self.now() < function["ready"] else "Successful",
            "Layers": [{"Arn": arn, "CodeSize": 1} for arn in function["layers"]],
            "ConfigSha256": digest,
        }
        if function["variables"]:
            answer["Environment"] = {"Variables": function["variables"]}
        return answer

    def update(self, function, request):
        if self.now() < function["ready"]:
            raise Refused(409, "ResourceConflictException", "an update is in progress")
        if request.get("RevisionId", function["revision"]) != function["revision"]:
            raise Refused(412, "PreconditionFailedException", "another revision")
        unknown = set(request) - {"Layers", "Environment", "RevisionId"}
        layers = request.get("Layers", function["layers"])
        variables = request.get("Environment", {"Variables": function["variables"]}).get("Variables", {})
        size = sum(len(key) + len(value) for key, value in variables.items())
        if unknown or len(layers) > MOST_LAYERS or len(set(layers)) < len(layers) or size > MOST_BYTES or RESERVED & set(variables):
            raise Refused(400, "InvalidParameterValueException", f"{unknown} {layers} {size}")
        if not all(re.fullmatch(r"[a-zA-Z]\w+", key) for key in variables):
            raise Refused(400, "InvalidParameterValueException", "a variable's name")
        self.updates += 1
        function.update(layers=layers, variables=variables, revision=str(uuid.uuid4()), ready=self.now() + UPDATE_TAKES)
        return self.described(function)

    def edit(self, name):
        """Somebody sets a variable, unless an update is in progress."""
        function = self.functions[name]
        if self.now() >= function["ready"]:
            function.update(variables={**function["variables"], "SOMEBODY": "was here"}, revision=str(uuid.uuid4()))
            self.edited.append(name)

    # SSM

    def parameter(self, name):
        if name not in self.parameters:
            raise Refused(400, "ParameterNotFound", name)
        return self.parameters[name]

    def get_parameter(self, request):
        found = self.parameter(request["Name"])
        answer = {"Name": request["Name"], "Type": "String", "Value": found["Value"], "Version": found["Version"], "LastModifiedDate": found["at"]}
        return {"Parameter": answer}

    def put_parameter(self, request):
        name, old = request["Name"], self.parameters.get(request["Name"])
        if old and not request.get("Overwrite"):
            raise Refused(400, "ParameterAlreadyExists", name)
        if len(request["Value"].encode()) > (4096 if request.get("Tier", "Standard") == "Standard" else 8192):
            raise Refused(400, "ValidationException", "too long")
        version = old["Version"] + 1 if old else 1
        self.parameters[name] = {"Value": request["Value"], "Version": version, "at": self.now()}
        self.plans.append({"at": self.now(), **json.loads(request["Value"])})
        return {"Version": version, "Tier": request.get("Tier", "Standard")}

    def delete_parameter(self, request):
        self.parameter(request["Name"])
        del self.parameters[request["Name"]]
        return {}

    def answer(self, method, path, target, body):
        request = json.loads(body or "{}")
        match = re.fullmatch(r"/2015-03-31/functions/([^/]+)/configuration", path)
        if match and method in ("GET", "PUT"):
            function = self.function(match[1])
            return self.described(function) if method == "GET" else self.update(function, request)
        if path.startswith("/2018-10-31/layers?find=LayerVersion"):
            return {"CompatibleArchitectures": ["x86_64"]}
        operations = {"GetParameter": self.get_parameter, "PutParameter": self.put_parameter, "DeleteParameter": self.delete_parameter}
        if target and target.split(".")[-1] in operations:
            return operations[target.split(".")[-1]](request)
        raise Refused(404, "UnknownOperationException", f"{method} {path} {target}")


def serve(plane):
    """Serves it on loopback for as long as the process lives; its address."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # The head and the body of an answer go together; apart, the second waits for an acknowledgement.
        wbufsize = 1 << 16
        disable_nagle_algorithm = True

        def do(self):
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            try:
                status, answer, code = 200, plane.answer(self.command, self.path, self.headers.get("X-Amz-Target"), body), None
            except Refused as refused:
                status, code = refused.status, refused.code
                answer = {"__type": code, "message": str(refused), "Type": "User"}
            data = json.dumps(answer).encode()
            self.send_response(status)
            if code:
                self.send_header("x-amzn-ErrorType", code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)
            self.wfile.flush()

        do_GET = do_PUT = do_POST = do

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_address[1]}"
