//! What is sent to each system, as it was written.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use faults::time::Time;
use scenarios::systems::{self, SystemLoad};
use scenarios::units::Rate;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;
use toml::Spanned;

use super::journey::Stage;

macro_rules! load {
    ($($folder:ident: $System:ident, $Load:ident, $about:tt;)*) => {
        /// What is sent to each system.
        #[derive(Debug, Default, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields, rename_all = "kebab-case")]
        pub struct Load {
            $(
                #[doc = $about]
                #[serde(default)]
                pub $folder: Option<Table<systems::$folder::$Load>>,
            )*
            /// Requests to the stack of `[stack] template`; to endpoints of functions that are deployed, with `[aws]`; or, without these and without `systems`, to an address of this machine.
            #[serde(default)]
            #[schemars(with = "Vec<RequestLoad>")]
            pub requests: Vec<Spanned<RequestLoad>>,
            /// Arrivals a second of all journeys without a rate of their own, which share it by their `weight`.
            #[serde(default)]
            #[schemars(with = "Option<Rate>")]
            pub rate: Option<Spanned<Rate>>,
            /// How arrivals are spread; evenly unless it says otherwise.
            #[serde(default)]
            pub arrivals: Arrivals,
            /// How long a journey may take before arrivals wait for a user, 100ms to 10m: there are rate x this many users, 4000 at the most. 3s or what the scenario's pauses need unless it is given, and on top what the faults add to each request on average.
            #[serde(default)]
            #[schemars(with = "Option<Time>")]
            pub longest_journey: Option<Spanned<Time>>,
            /// Certificates in place of what this machine trusts, and one that is shown to servers.
            #[serde(default)]
            #[schemars(with = "Option<TlsOptions>")]
            pub tls: Option<Spanned<TlsOptions>>,
        }

        impl Load {
            /// The systems that something is sent to, in the order of their list, each with its place in the file.
            pub fn systems(&self) -> Vec<(Range<usize>, Arc<dyn SystemLoad>)> {
                [$(self.$folder.as_ref().map(Table::checkable)),*].into_iter().flatten().collect()
            }
        }
    };
}

scenarios::for_each_system!(load);

/// A system's table, with its place in the file.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub struct Table<T>(Spanned<T>);

impl<T: SystemLoad + Clone + 'static> Table<T> {
    fn checkable(&self) -> (Range<usize>, Arc<dyn SystemLoad>) {
        (self.0.span(), Arc::new(self.0.get_ref().clone()))
    }
}

/// The place is no part of what is written.
impl<T: JsonSchema> JsonSchema for Table<T> {
    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn schema_id() -> Cow<'static, str> {
        T::schema_id()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

/// Requests over TLS. Files are PEM; their paths begin at the folder of the file.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct TlsOptions {
    /// The certificates of the authorities that are trusted, in place of those of this machine.
    #[serde(default)]
    pub ca: Option<PathBuf>,
    /// The certificate that is shown to servers that ask for one, and its chain; with `key`.
    #[serde(default)]
    pub cert: Option<PathBuf>,
    /// The private key of `cert`.
    #[serde(default)]
    pub key: Option<PathBuf>,
    /// The only version of HTTP that is spoken; otherwise 2 where the server can, and 1.1 where not.
    #[serde(default)]
    pub http: Option<HttpVersion>,
}

/// A version of HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum HttpVersion {
    /// HTTP/1.1: a connection for each request at a time.
    #[serde(rename = "1.1")]
    Http1,
    /// HTTP/2: requests share connections.
    #[serde(rename = "2")]
    Http2,
}

/// How arrivals are spread.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Arrivals {
    /// Evenly.
    #[default]
    Constant,
    /// As a Poisson process.
    Poisson,
}

/// One request again and again.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RequestLoad {
    /// The endpoint's name in reports and aims: one word, a blank, the rest, such as `orders GET /orders/{id}`.
    #[schemars(with = "String")]
    pub of: Spanned<String>,
    /// `https://` or `http://`, with path and query; or, for the stack of `[stack] template`, the path alone, such as `/orders/7?full=1`, without the stage.
    #[schemars(with = "String")]
    pub url: Spanned<String>,
    /// Which API of the template answers, by its logical id, or which function's own URL; needed where the template has several.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub api: Option<Spanned<String>>,
    /// Requests a second; with `stages`, those at their begin.
    #[serde(default)]
    pub rate: Option<Rate>,
    /// How the rate changes, from the warm-up on.
    #[serde(default)]
    #[schemars(with = "Vec<Stage>")]
    pub stages: Vec<Spanned<Stage>>,
    /// The HTTP method; `GET` unless it is given.
    #[serde(default)]
    pub method: Method,
    /// Headers. A value that begins with `$` is the environment variable of that name, so that no token need stand in a file.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The body; none unless it is given.
    #[serde(default)]
    pub body: String,
    /// The statuses that are right, below 500; `[200]` unless it is given. Any other answer is an error. A request that must be refused says so here: `[401, 403]`.
    #[serde(default = "ok")]
    pub statuses: Vec<u16>,
}

fn ok() -> Vec<u16> {
    vec![200]
}

/// An HTTP method.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// `GET`
    #[default]
    Get,
    /// `HEAD`
    Head,
    /// `POST`
    Post,
    /// `PUT`
    Put,
    /// `PATCH`
    Patch,
    /// `DELETE`
    Delete,
}

impl Method {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Get, Self::Head, Self::Post, Self::Put, Self::Patch, Self::Delete];

    /// As HTTP writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}
