//! Nothing that the extension writes may contain a payload or the value of a header, a variable or
//! a plan's setting. Secrets are planted in all of them and searched for, in several spellings, in
//! standard output, standard error and every file.

use std::fmt::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::support::{BINARY, Extension, NEXT, Platform, fault, plan, until};

/// Where a secret is planted. Each place has its own secret, so that a failure names the leak.
const PLACES: [&str; 14] = [
    "event",
    "client-context",
    "cognito-identity",
    "trace",
    "tenant",
    "response",
    "response-header",
    "error",
    "xray-cause",
    "variable",
    "plan",
    "setting",
    "file-name",
    "platform",
];

/// A secret with characters that percent-encoding changes and that a header, a JSON string and a
/// file name can contain.
fn secret(place: &str) -> String {
    assert!(PLACES.contains(&place), "{place}");
    format!("Geheim+{place}=Zx81&qu;")
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let group = |three: &[u8]| {
        let bits = three.iter().fold(0_usize, |bits, byte| bits << 8 | usize::from(*byte));
        [18, 12, 6, 0].map(|shift| char::from(LETTERS[bits >> shift & 63]))
    };
    bytes.chunks_exact(3).flat_map(group).collect()
}

/// The secret as it may be spelt: plain, percent-encoded, in hexadecimal, in base64 at any offset,
/// as bytes of a debug print.
fn spellings(secret: &str) -> Vec<String> {
    let (mut hex, mut percent) = (String::new(), String::new());
    for byte in secret.bytes() {
        write!(hex, "{byte:02x}").unwrap();
        if byte.is_ascii_alphanumeric() || byte == b'-' { percent.push(char::from(byte)) } else { write!(percent, "%{byte:02X}").unwrap() }
    }
    let list: Vec<_> = secret.bytes().map(|byte| byte.to_string()).collect();
    let mut all = vec![secret.to_owned(), percent.clone(), percent.to_lowercase(), hex.to_uppercase(), hex, list.join(", ")];
    for skipped in 0..3 {
        let whole = base64(&secret.as_bytes()[skipped..]);
        all.push(whole.replace('+', "-").replace('/', "_"));
        all.push(whole);
    }
    all
}

/// The places whose secrets are in a text.
fn found(text: &str) -> Vec<&'static str> {
    PLACES.into_iter().filter(|place| spellings(&secret(place)).iter().any(|spelling| text.contains(spelling))).collect()
}

#[test]
fn the_search_finds_every_spelling() {
    let plain = secret("event");
    assert_eq!(base64(b"Geheim"), "R2VoZWlt");
    for text in [
        format!("note: {plain}"),
        "Geheim%2Bevent%3DZx81%26qu%3B".to_owned(),
        format!("{{\"body\":\"{}\"}}", base64(format!("x{plain}yz").as_bytes())),
        format!("{:?}", plain.as_bytes()),
    ] {
        assert_eq!(found(&text), ["event"], "{text}");
    }
    assert_eq!(found("Geheim"), Vec::<&str>::new());
}

fn event(id: &str) -> Vec<u8> {
    let deadline = (std::time::SystemTime::now() + Duration::from_millis(400)).duration_since(std::time::UNIX_EPOCH).unwrap().as_millis();
    let body = format!(
        r#"{{"httpMethod":"GET","path":"/x","headers":{{"authorization":"{0}"}},"requestContext":{{}},"body":"{0}"}}"#,
        secret("event")
    );
    format!(
        "HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: {id}\r\nLambda-Runtime-Deadline-Ms: {deadline}\r\n\
         Lambda-Runtime-Client-Context: {}\r\nLambda-Runtime-Cognito-Identity: {}\r\nLambda-Runtime-Aws-Tenant-Id: {}\r\n\
         Lambda-Runtime-Trace-Id: Root=1-5759e988-bd862e3fe1be46a994272793;Parent={};Sampled=1\r\nContent-Length: {}\r\n\r\n{body}",
        secret("client-context"),
        secret("cognito-identity"),
        secret("tenant"),
        secret("trace"),
        body.len()
    )
    .into_bytes()
}

/// What the runtime answers: a response, a streamed one, an error.
fn answers(id: &str) -> [String; 3] {
    let head = format!("POST /2018-06-01/runtime/invocation/{id}");
    let (response, error) = (format!(r#"{{"body":"{}"}}"#, secret("response")), format!(r#"{{"errorMessage":"{}"}}"#, secret("error")));
    let (header, cause) = (secret("response-header"), secret("xray-cause"));
    [
        format!("{head}/response HTTP/1.1\r\nX-Secret: {header}\r\nContent-Length: {}\r\n\r\n{response}", response.len()),
        format!(
            "{head}/response HTTP/1.1\r\nLambda-Runtime-Function-Response-Mode: streaming\r\nX-Secret: {header}\r\n\
             Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{response}\r\n0\r\n\r\n",
            response.len()
        ),
        format!(
            "{head}/error HTTP/1.1\r\nLambda-Runtime-Function-Error-Type: {header}\r\nLambda-Runtime-Function-XRay-Error-Cause: {cause}\r\n\
             Content-Length: {}\r\n\r\n{error}",
            error.len()
        ),
    ]
}

/// One invocation for each answer. A fault may withhold the event or an answer from the runtime:
/// then the next one follows.
async fn converse(extension: &Extension, platform: &Platform) {
    let soon = Duration::from_millis(800);
    for at in 0..3 {
        platform.send(event(&format!("id-{at}")));
        let mut runtime = extension.connect().await;
        runtime.write(NEXT).await;
        let Ok(Some(got)) = tokio::time::timeout(soon, runtime.read()).await else { continue };
        let id = got.header("Lambda-Runtime-Aws-Request-Id").unwrap_or("none").to_owned();
        runtime.write(answers(&id)[at].as_bytes()).await;
        let _ = tokio::time::timeout(soon, runtime.read()).await;
    }
}

/// Sends what is not HTTP, from the runtime and from the platform, and a request with an unknown address.
async fn babble(extension: &Extension, platform: &Platform) {
    let secret = secret("platform");
    for nonsense in [format!("GET {secret}\r\n\r\n"), format!("{secret}\r\n\r\n"), format!("GET /{secret} HTTP/1.1\r\nA: {secret}\r\n\r\n")]
    {
        let mut runtime = extension.connect().await;
        runtime.write(nonsense.as_bytes()).await;
        let _ = tokio::time::timeout(Duration::from_secs(2), runtime.read()).await;
    }
    for garbage in
        [format!("{secret}\r\n\r\n"), format!("HTTP/1.1 {secret}\r\n\r\n"), format!("HTTP/1.1 200 OK\r\nContent-Length: {secret}\r\n\r\n")]
    {
        platform.answers.lock().unwrap().push_back(garbage.into_bytes());
        let mut runtime = extension.connect().await;
        runtime.write(answers("unknown")[0].as_bytes()).await;
        let _ = tokio::time::timeout(Duration::from_secs(2), runtime.read()).await;
    }
}

fn files(folder: &Path, into: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, into);
        } else if let Ok(bytes) = std::fs::read(&path) {
            writeln!(into, "{}\n{}", path.display(), String::from_utf8_lossy(&bytes)).unwrap();
        }
    }
}

/// Runs the extension with these variables from start to end; returns everything that it has
/// written.
async fn written(variables: &[(&str, &str)]) -> String {
    let platform = Platform::start().await;
    let errors = tempfile::NamedTempFile::new().unwrap();
    let mut command = Command::new(BINARY);
    command.stderr(Stdio::from(errors.reopen().unwrap())).env("BROWNOUT_EMF", "Brownout");
    for name in ["AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "DATABASE_PASSWORD", "HOME", "BROWNOUT_UNKNOWN"] {
        command.env(name, secret("variable"));
    }
    let plan = variables.iter().find(|(name, _)| *name == "BROWNOUT_PLAN").map(|(_, value)| *value);
    for (name, value) in variables.iter().filter(|(name, _)| *name != "BROWNOUT_PLAN") {
        command.env(name, value);
    }
    let mut extension = Extension::start_by(command, &platform, plan).await;
    until("it waits for the end", || (platform.registrations.lock().unwrap().len() == 2).then_some(())).await;
    converse(&extension, &platform).await;
    babble(&extension, &platform).await;
    let mut all = String::new();
    files(extension.folder.path(), &mut all);
    platform.shut_down();
    extension.exit_code().await;
    files(extension.folder.path(), &mut all);
    // Its last output has been read when the pipe is empty.
    until("the ledger ends", || extension.reader.is_finished().then_some(())).await;
    all + &extension.lines().join("\n") + &std::fs::read_to_string(errors.path()).unwrap()
}

/// Each kind of fault with secrets in its settings. `kill` and a failed start are left out: they
/// would end this process, and have no text.
fn kinds() -> Vec<(&'static str, String)> {
    let secret = secret("setting");
    [
        ("latency", r#"{"latency":{"time":"1ms"}}"#.to_owned()),
        ("error", format!(r#"{{"error":{{"message":"{secret}"}}}}"#)),
        ("error", format!(r#"{{"error":{{"message":"{secret}","handler-runs":true}}}}"#)),
        ("response", format!(r#"{{"response":{{"status":503,"headers":{{"x":"{secret}"}},"body":"{secret}"}}}}"#)),
        ("response", format!(r#"{{"response":{{"raw":"{{\"statusCode\":500,\"body\":\"{secret}\"}}"}}}}"#)),
        ("response", r#"{"response":{"cut-at":9}}"#.to_owned()),
        ("response", r#"{"response":{"corrupt":3}}"#.to_owned()),
        ("response", r#"{"response":{"drop":true}}"#.to_owned()),
        ("stream", format!(r#"{{"stream":{{"first-byte":"1ms","cut-after":9,"error":{{"message":"{secret}"}}}}}}"#)),
        ("again", r#"{"again":{}}"#.to_owned()),
        // Only words can be put there, and a secret is not a word.
        ("event", r#"{"event":{"set":{"/body":"not json"}}}"#.to_owned()),
        ("timeout", r#"{"timeout":{"share-of-deadline":0.1}}"#.to_owned()),
        ("timeout", r#"{"timeout":{}}"#.to_owned()),
        ("init", r#"{"init":{"slow":"1ms"}}"#.to_owned()),
        ("throttle", format!(r#"{{"throttle":{{"burst":2,"message":"{secret}"}}}}"#)),
        ("resource", r#"{"resource":{"tmp-mib":1,"memory-mib":1,"time":"100ms"}}"#.to_owned()),
        ("dependency", r#"{"dependency":{"host":"geheim.example","trouble":"refused"}}"#.to_owned()),
    ]
    .to_vec()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_fault_writes_a_secret() {
    let named: Vec<_> = kinds().iter().map(|(name, _)| *name).collect();
    let missing: Vec<_> = faults::kinds::NAMES.iter().filter(|name| !named.contains(name) && **name != "kill").collect();
    assert!(missing.is_empty(), "no secret is planted for {missing:?}");
    // All at once: most of the time is spent waiting.
    let runs: Vec<_> = kinds()
        .into_iter()
        .map(|(name, kind)| {
            let plan = plan(1, 60_000, &[fault("known", 1.0, &kind)]);
            assert!(faults::Plan::read(plan.as_bytes()).is_ok(), "{plan}");
            (name, kind, tokio::spawn(async move { written(&[("BROWNOUT_PLAN", &format!("json:{plan}"))]).await }))
        })
        .collect();
    for (name, kind, run) in runs {
        let all = run.await.unwrap();
        assert!(all.contains("cold-start"), "{kind}: nothing was written: {all}");
        assert!(name == "init" || all.contains(r#""fault":"known""#), "{kind}: the fault was not met: {all}");
        assert_eq!(found(&all), Vec::<&str>::new(), "{kind} wrote: {all}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_wrong_input_is_quoted() {
    let folder = tempfile::tempdir().unwrap();
    let (planted, named) = (secret("plan"), folder.path().join(secret("file-name")));
    std::fs::write(&named, format!(r#"{{"version":1,"{planted}":1}}"#)).unwrap();
    let of = |kind: &str| format!("json:{}", plan(1, 60_000, &[fault("known", 1.0, kind)]));
    let mut plans = vec![
        planted.clone(),
        format!("json:{planted}"),
        format!(r#"json:"{planted}""#),
        format!(r#"json:{{"{planted}":1}}"#),
        format!(r#"json:{{"version":"{planted}"}}"#),
        of(&format!(r#"{{"{planted}":{{}}}}"#)),
        of(&format!(r#"{{"latency":{{"time":"{planted}"}}}}"#)),
        of(&format!(r#"{{"error":{{"type":"{planted}"}}}}"#)),
        of(&format!(r#"{{"dependency":{{"host":"{planted}","trouble":"refused"}}}}"#)),
        of(&format!(r#"{{"event":{{"remove":["{planted}","/token/{planted}"],"set":{{"/{planted}/user":1}}}}}}"#)),
        of(&format!(r#"{{"response":{{"raw":"Allow {planted}"}}}}"#)),
        of(&format!(r#"{{"event":{{"set":{{"/body":"{planted}"}}}}}}"#)),
        of(r#"{"latency":{"time":"1ms"}}"#).replace(r#""share":1"#, &format!(r#""share":1,"when":{{"path":"{planted}"}}"#)),
        format!("file:{}", named.display()),
        format!("file:{}", named.join("below").display()),
        format!("file:{}", folder.path().join("missing").join(secret("file-name")).display()),
    ];
    let mut runs: Vec<_> = plans.drain(..).map(|plan| vec![("BROWNOUT_PLAN", plan)]).collect();
    for name in ["BROWNOUT_EMF", "BROWNOUT_UPSTREAM", "AWS_LAMBDA_LOG_STREAM_NAME", "RUST_LOG", "RUST_BACKTRACE"] {
        runs.push(vec![(name, secret("variable"))]);
    }
    let runs: Vec<_> = runs
        .into_iter()
        .map(|variables| {
            (
                variables.clone(),
                tokio::spawn(async move {
                    let variables: Vec<_> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
                    written(&variables).await
                }),
            )
        })
        .collect();
    for (variables, run) in runs {
        let all = run.await.unwrap();
        assert!(all.contains(r#""entry":"note""#), "{variables:?}: nothing was noted: {all}");
        assert_eq!(found(&all), Vec::<&str>::new(), "{variables:?}: it wrote: {all}");
    }
}

#[test]
#[ignore = "it panics: `a_panic_is_not_quoted` runs it in a process of its own"]
fn a_mistake() {
    extension::fail_open::print_only_the_place();
    let event = secret("event");
    assert!(event.is_empty(), "{event} came");
}

#[test]
fn a_panic_is_not_quoted() {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "secrets::a_mistake", "--nocapture"])
        .output()
        .unwrap();
    let all = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(all.contains("error: bug in brownout's extension at ") && all.contains("secrets.rs:"), "{all}");
    assert_eq!(found(&all), Vec::<&str>::new(), "{all}");
}
