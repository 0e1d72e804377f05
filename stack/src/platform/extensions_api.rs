//! Lambda's Extensions API as one environment sees it: register, wait for events, fail.

use hyper::header::HeaderValue;
use hyper::{Method, Request, Response, body::Incoming};
use serde_json::json;

use super::extensions::Topic;
use super::host::{Host, accepted, not_found, refusal};
use super::http::{self, Piece};

const IDENTIFIER: &str = "lambda-extension-identifier";

#[derive(serde::Deserialize)]
struct Registration {
    #[serde(default)]
    events: Vec<Topic>,
}

/// Answers one call; `rest` is the path after `/2020-01-01/extension/`.
pub(crate) async fn answer(host: &Host, method: &Method, rest: &str, request: Request<Incoming>) -> Response<Piece> {
    match (method, rest) {
        (&Method::POST, "register") => register(host, request).await,
        (&Method::GET, "event/next") => match identifier(host, &request) {
            Ok(id) => next(host, &id).await,
            Err(refused) => *refused,
        },
        (&Method::POST, "init/error" | "exit/error") => match identifier(host, &request) {
            Ok(_) => failed(host, rest, request).await,
            Err(refused) => *refused,
        },
        _ => not_found(),
    }
}

async fn register(host: &Host, request: Request<Incoming>) -> Response<Piece> {
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let (name, features) = (header("lambda-extension-name"), header("lambda-extension-accept-feature"));
    if name.is_empty() {
        return refusal(403, "Extension.InvalidExtensionName", "Empty extension name");
    }
    let body = http::whole(request.into_body(), 64 * 1024).await.map(|whole| whole.bytes).unwrap_or_default();
    let topics = if body.is_empty() {
        Vec::new()
    } else {
        match serde_json::from_slice::<Registration>(&body) {
            Ok(registration) => registration.events,
            Err(error) => return refusal(400, "InvalidEventType", &error.to_string()),
        }
    };
    let deployed = &host.environment.deployed;
    let outside = deployed.is_outside(&name);
    if !outside && topics.contains(&Topic::Shutdown) {
        return refusal(400, "ShutdownEventNotSupportedForInternalExtension", "SHUTDOWN event not supported for internal extensions");
    }
    let Some(id) = host.environment.extensions(|all| all.register(&name, topics)) else {
        return refusal(403, "Extension.AlreadyRegistered", &format!("Extension {name} already registered"));
    };
    host.environment.progress.notify_one();
    let mut body = json!({ "functionName": deployed.function.name, "functionVersion": deployed.version(), "handler": deployed.function.code.handler() });
    if let (Some(body), true) = (body.as_object_mut(), features.contains("accountId")) {
        body.insert("accountId".to_owned(), super::names::ACCOUNT.into());
    }
    let mut response = http::json(200, body.to_string());
    if let Ok(id) = HeaderValue::try_from(id) {
        response.headers_mut().insert(IDENTIFIER, id);
    }
    response
}

fn identifier(host: &Host, request: &Request<Incoming>) -> Result<String, Box<Response<Piece>>> {
    let Some(id) = request.headers().get(IDENTIFIER).and_then(|id| id.to_str().ok()) else {
        return Err(Box::new(refusal(403, "Extension.MissingExtensionIdentifier", "Missing Lambda-Extension-Identifier header")));
    };
    if !host.environment.extensions(|all| all.knows(id)) {
        return Err(Box::new(refusal(403, "Extension.UnknownExtensionIdentifier", &format!("Unknown extension {id}"))));
    }
    Ok(id.to_owned())
}

async fn next(host: &Host, id: &str) -> Response<Piece> {
    loop {
        let Some(next) = host.environment.extensions(|all| all.next(id)) else {
            return refusal(403, "Extension.UnknownExtensionIdentifier", &format!("Unknown extension {id}"));
        };
        match next {
            Ok(event) => {
                let mut response = http::json(200, event);
                if let Ok(event) = HeaderValue::try_from(super::names::uuid()) {
                    response.headers_mut().insert("lambda-extension-event-identifier", event);
                }
                return response;
            }
            Err(wake) => {
                host.settle();
                wake.notified().await;
            }
        }
    }
}

async fn failed(host: &Host, rest: &str, request: Request<Incoming>) -> Response<Piece> {
    let kind =
        request.headers().get("lambda-extension-function-error-type").and_then(|kind| kind.to_str().ok()).unwrap_or("Unknown").to_owned();
    // Read to its end, so that the connection can be used again; the type alone matters.
    let _ = http::whole(request.into_body(), 64 * 1024).await;
    let (error, moment) = if rest == "init/error" { ("Extension.InitError", "initialization") } else { ("Extension.ExitError", "exit") };
    let why = json!({ "errorType": error, "errorMessage": format!("the extension reported an error at {moment}: {kind}") });
    host.environment.init_failed(why.to_string().into());
    accepted()
}
