//! The page of a running stack: its routes and functions, and what the services hold. It changes
//! nothing by itself; requests and schedules that a person sends go the usual ways.

mod logs;
mod own;
mod running;
mod send;

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use hyper::{Method, Uri};
use serde::Serialize;
use serde_json::json;

use super::described::Described;
use super::s3::{self, Buckets};
use super::shows::{Part, Shows, Thing};
use super::wire::{Answer, REST_JSON, Service, form, percent_decoded};

pub use self::own::{POLICY, is_own};
pub use self::running::{Function, Running};

/// The path of the page; everything that belongs to it is below.
pub const AT: &str = "/brownout";

/// `POST` here sends a request to an API of the stack.
pub const SEND: &str = "/brownout/send";

/// The path prefix of the objects that the page links; bucket and key follow.
const OBJECTS: &str = "/brownout/objects/";

/// The most rows in one answer.
const ROWS: usize = 50;

/// The page.
pub struct Page {
    /// All services, in the order of the page.
    pub described: &'static [&'static Described],
    /// Those that are called over the common address.
    pub services: Vec<Arc<dyn Service>>,
    /// The objects.
    pub buckets: Arc<Buckets>,
    /// The platform, once it is up.
    pub running: Arc<OnceLock<Running>>,
}

/// A service as the page lists it.
#[derive(Serialize)]
struct Listed {
    name: &'static str,
    title: &'static str,
    /// The operations that a fault can strike.
    operations: &'static [&'static str],
    /// `None` if what it holds is not shown.
    things: Option<Vec<Thing>>,
}

impl Page {
    /// The answer to a request at [`AT`] or below.
    pub async fn answer(&self, method: &Method, uri: &Uri, body: Bytes) -> Answer {
        if (method, uri.path()) == (&Method::POST, SEND) {
            return self.send(&body).await;
        }
        let query = form(uri.query().unwrap_or_default().as_bytes());
        let field = |name: &str| query.get(name).map(String::as_str).unwrap_or_default();
        let number = |name: &str| field(name).parse().ok();
        match uri.path() {
            "/brownout" | "/brownout/" => file("text/html; charset=utf-8", include_str!("page.html")),
            "/brownout/page.css" => file("text/css; charset=utf-8", include_str!("page.css")),
            "/brownout/page.js" => file("text/javascript; charset=utf-8", include_str!("page.js")),
            "/brownout/stack" => self.stack(),
            "/brownout/rows" => self.rows(field("service"), field("thing"), number("from").unwrap_or(0)),
            "/brownout/log" => self.log(field("function"), number("after").map(|after: usize| after as u64)).await,
            path => self.object(path),
        }
    }

    fn stack(&self) -> Answer {
        let services = self.described.iter().map(|described| Listed {
            name: described.name,
            title: described.title,
            operations: described.operations,
            things: self.view(described.name).map(Shows::things),
        });
        let stack = self.running.get().map(Running::shown);
        Answer::ok(REST_JSON, &json!({"stack": stack, "services": services.collect::<Vec<_>>()}))
    }

    fn rows(&self, service: &str, thing: &str, from: usize) -> Answer {
        let rows = self.view(service).and_then(|view| view.rows(thing, Part { from, most: ROWS }));
        rows.map_or_else(
            || missing(&format!("found nothing called `{thing}` in the service `{service}`")),
            |rows| Answer::ok(REST_JSON, &json!(rows)),
        )
    }

    /// What a service shows, if it shows anything.
    fn view(&self, name: &str) -> Option<&dyn Shows> {
        if name == s3::DESCRIBED.name {
            return Some(&*self.buckets);
        }
        self.services.iter().find(|service| service.described().name == name)?.shows()
    }

    fn object(&self, path: &str) -> Answer {
        let (bucket, key) = path.strip_prefix(OBJECTS).and_then(|rest| rest.split_once('/')).unwrap_or_default();
        match self.buckets.get(&percent_decoded(bucket), &percent_decoded(key)).map(|object| object.content.whole()) {
            Some(Ok(bytes)) => {
                // Never as HTML: what an application stores must not run as a part of the page.
                let kind = if std::str::from_utf8(&bytes).is_ok() { "text/plain; charset=utf-8" } else { "application/octet-stream" };
                Answer { status: 200, content_type: kind, error_type: None, body: bytes }
            }
            Some(Err(_)) => Answer::error(REST_JSON, 500, "InternalError", "the object cannot be read"),
            None => missing("there is no such object, and no such part of the page"),
        }
    }
}

fn file(content_type: &'static str, text: &'static str) -> Answer {
    Answer { status: 200, content_type, error_type: None, body: Bytes::from_static(text.as_bytes()) }
}

fn missing(message: &str) -> Answer {
    Answer::error(REST_JSON, 404, "NotFound", message)
}
