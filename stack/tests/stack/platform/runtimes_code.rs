//! Python and Node functions as users write them: inline, in archives, in sub folders, as ES modules,
//! with layers; and the ways in which they fail to start.

use std::collections::BTreeMap;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use serde_json::{Value, json};
use stack::platform::Function;
use stack::platform::code::Place;
use template::blueprint::{self, Code, LogFormat, Managed, Runtime};

use crate::platform::runtimes::{self, programs};
use crate::platform::support::{Layer, More, Up, function, with};

fn python(handler: &str, code: Code) -> blueprint::Function {
    declared(Managed::Python("python3.12".into()), handler, code)
}

fn node(handler: &str, code: Code) -> blueprint::Function {
    declared(Managed::Node("nodejs22.x".into()), handler, code)
}

fn declared(runtime: Managed, handler: &str, code: Code) -> blueprint::Function {
    blueprint::Function {
        resource: "F".into(),
        name: "f".into(),
        code,
        runtime: Runtime::Managed(runtime),
        handler: handler.into(),
        layers: Vec::new(),
        memory_mb: 128,
        timeout: Duration::from_secs(20),
        reserved: None,
        variables: BTreeMap::new(),
        log_format: LogFormat::Text,
        asynchronous: blueprint::Asynchronous::default(),
        url: None,
        aliases: Vec::new(),
    }
}

/// A platform with the function and its files, or `None` if this machine lacks the runtime.
async fn up(declared: &blueprint::Function, files: &[(&str, &str)], namespace: bool) -> Option<Up> {
    layered(declared, files, namespace, None).await
}

async fn layered(declared: &blueprint::Function, files: &[(&str, &str)], namespace: bool, layer: Option<Layer>) -> Option<Up> {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        if text.starts_with("#!") {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
    }
    if files.iter().any(|(path, _)| path.starts_with("zipped/")) {
        let mut writer = zip::ZipWriter::new(std::fs::File::create(folder.path().join("code.zip")).unwrap());
        for (path, text) in files.iter().filter_map(|(path, text)| Some((path.strip_prefix("zipped/")?, text))) {
            writer.start_file(path, zip::write::SimpleFileOptions::default()).unwrap();
            writer.write_all(text.as_bytes()).unwrap();
        }
        writer.finish().unwrap();
    }
    let place = Place::new(&programs(), folder.path(), folder.path().join("unpacked"), BTreeMap::new());
    let prepared = place.prepare(declared).unwrap();
    let variables = declared.variables.clone();
    let f = Function { code: prepared.code, opt: prepared.opt, concurrency: 1, variables, ..function("f") };
    let namespace = namespace.then(|| programs().join("brownout-namespace"));
    with(vec![f], layer, folder, More { namespace, ..More::default() }).await.unwrap().or_skipped().await
}

async fn answers(declared: blueprint::Function, files: &[(&str, &str)], expected: &Value) {
    for namespace in [false, true] {
        let Some(up) = up(&declared, files, namespace).await else { continue };
        let (_, said) = up.invoke("f", json!({ "n": 1 })).await;
        assert_eq!(&said, expected, "{} {files:?} {namespace}", declared.handler);
        up.down().await;
    }
}

const PYTHON: &str = "def handler(event, context):\n    return {'n': event['n'], 'f': context.function_name}\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn python_runs_inline_in_archives_and_in_sub_folders() {
    let expected = json!({ "n": 1, "f": "f" });
    answers(python("index.handler", Code::Inline(PYTHON.into())), &[], &expected).await;
    for handler in ["src/app.handler", "src.app.handler"] {
        answers(python(handler, Code::Path("code".into())), &[("code/src/app.py", PYTHON)], &expected).await;
    }
    answers(python("app.handler", Code::Path("code.zip".into())), &[("zipped/app.py", PYTHON)], &expected).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn python_finds_its_layers_and_the_later_one_covers() {
    let code = "import shared, mine\ndef handler(event, context):\n    return [shared.x, mine.x, shared.__file__.startswith('/opt/')]\n";
    let files = [
        ("code/app.py", code),
        ("one/python/shared.py", "x = 1\n"),
        ("one/python/lib/python3.12/site-packages/mine.py", "x = 'site'\n"),
        ("two/python/shared.py", "x = 2\n"),
    ];
    let layers = ["one", "two"].map(|name| blueprint::Layer::Path(name.into())).into();
    let declared = blueprint::Function { layers, ..python("app.handler", Code::Path("code".into())) };
    for namespace in [false, true] {
        let Some(up) = up(&declared, &files, namespace).await else { continue };
        let mounted = namespace && !up.platform.notices.iter().any(|notice| notice.contains("variables such as"));
        assert_eq!(up.invoke("f", json!({})).await.1, json!([2, "site", mounted]));
        up.down().await;
    }
}

/// As the web adapter's layer does it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrapper_of_a_layer_starts_the_runtime_behind_the_extension_too() {
    let code = "import os\ndef handler(event, context):\n    return [os.environ['WRAPPED'], os.getcwd()]\n";
    let files = [("code/app.py", code), ("layer/wrap", "#!/bin/sh\nexport WRAPPED=yes\nexec \"$@\"\n")];
    let variables = BTreeMap::from([("AWS_LAMBDA_EXEC_WRAPPER".to_owned(), "/opt/wrap".to_owned())]);
    let layers = vec![blueprint::Layer::Path("layer".into())];
    let declared = blueprint::Function { layers, variables, ..python("app.handler", Code::Path("code".into())) };
    for (namespace, extension) in [(false, false), (true, false), (false, true), (true, true)] {
        let Some(up) = layered(&declared, &files, namespace, extension.then(runtimes::layer)).await else { continue };
        let plan = json!({ "version": 1, "run": "r", "sequence": 1, "lease_ms": 60_000, "seed": 7, "faults": [
            { "name": "slow", "place": { "function": "f" }, "share": 1.0, "kind": { "latency": { "at": "before", "time": "1ms" } } },
        ] });
        std::fs::write(up.folder.path().join("plan.json"), plan.to_string()).unwrap();
        let (_, said) = up.invoke("f", json!({})).await;
        assert_eq!(said[0], "yes", "{namespace} {extension} {said}");
        let mounted = namespace && up.platform.notices.iter().all(|notice| !notice.contains("variables such as"));
        assert_eq!(said[1] == "/var/task", mounted, "{said}");
        let lines = up.down().await.iter().flat_map(faults::Entry::eligible).filter(|line| line.fault == "slow").count();
        assert_eq!(lines, usize::from(extension), "{namespace} {extension}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_that_fails_has_lambdas_error_type() {
    let cases = [
        ("missing.handler", PYTHON, "Runtime.ImportModuleError", "Unable to import module 'missing'"),
        ("app.other", PYTHON, "Runtime.HandlerNotFound", "Handler 'other' missing on module 'app'"),
        ("app.handler", "import nothing_of_this_name\n", "Runtime.ImportModuleError", "No module named 'nothing_of_this_name'"),
        ("app.handler", "def handler(:\n", "Runtime.UserCodeSyntaxError", "Syntax error in module 'app'"),
        ("app.handler", "import os\nos._exit(42)\n", "Runtime.ExitError", "Runtime exited with error: exit status 42"),
    ];
    for (handler, code, kind, message) in cases {
        let Some(up) = up(&python(handler, Code::Path("code".into())), &[("code/app.py", code)], true).await else { return };
        let (invoked, error) = up.invoke("f", json!({})).await;
        assert!(invoked.failed, "{error}");
        assert_eq!(error["errorType"], kind, "{error}");
        assert!(error["errorMessage"].as_str().unwrap().contains(message), "{error}");
        // Lambda starts a function twice for an invocation, and then no more.
        assert_eq!(up.platform.health().environments, 2, "{kind}");
        up.down().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn node_runs_commonjs_es_modules_and_handlers_in_sub_folders() {
    let (commonjs, module) = ("exports.handler = async (event) => event.n;\n", "export const handler = async (event) => event.n;\n");
    let nested = "exports.app = { handler: async (event) => event.n };\n";
    let code = || Code::Path("code".into());
    answers(node("index.handler", Code::Inline(commonjs.into())), &[], &json!(1)).await;
    answers(node("src/app.handler", code()), &[("code/src/app.js", commonjs)], &json!(1)).await;
    answers(node("src.app.handler", code()), &[("code/src.js", nested)], &json!(1)).await;
    answers(node("app.handler", code()), &[("code/app.mjs", module)], &json!(1)).await;
    let package = ("code/package.json", "{\"type\": \"module\"}");
    answers(node("app.handler", code()), &[("code/app.js", module), package], &json!(1)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn node_finds_its_layers_and_says_what_is_missing() {
    let code = "const x = require('shared');\nexports.handler = async () => x;\n";
    let files = [("code/app.js", code), ("layer/nodejs/node_modules/shared/index.js", "module.exports = 'layer';\n")];
    let without = node("app.handler", Code::Path("code".into()));
    let with = blueprint::Function { layers: vec![blueprint::Layer::Path("layer".into())], ..without.clone() };
    answers(with, &files, &json!("layer")).await;
    let Some(up) = up(&without, &files, true).await else { return };
    let (_, error) = up.invoke("f", json!({})).await;
    assert_eq!(error["errorType"], "Runtime.ImportModuleError", "{error}");
    up.down().await;
}
