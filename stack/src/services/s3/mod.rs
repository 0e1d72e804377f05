//! S3: buckets whose large objects are in a file of the process. All readers of an object share its
//! content; functions, queues, topics and buses are told of what happens to objects.

mod buckets;
mod content;
mod contents;
mod copy;
mod listing;
mod multipart;
mod notification;
mod object;
mod operations;
mod shown;
mod tags;
mod upload;
mod uploads;
mod versions;
mod wire;

use hyper::header::HeaderMap;
use hyper::{Method, Uri};

pub use self::buckets::Buckets;
pub use self::content::{Content, Spool};
pub use self::object::{Object, ObjectHeaders};
pub use self::wire::Objects;
use super::described::{Described, Protocol};

/// The description of this service.
pub const DESCRIBED: Described = Described { name: "s3", title: "S3", protocol: Protocol::S3, operations: &["GetObject", "PutObject"] };

/// The operation of a call, if a fault can target it; empty otherwise. Source: S3 API reference,
/// GetObject and PutObject: other operations on an object have a part of the query or a header of
/// their own.
pub fn operation(method: &Method, uri: &Uri, headers: &HeaderMap) -> &'static str {
    let of_object = uri.path().trim_start_matches('/').split_once('/').is_some_and(|(_, key)| !key.is_empty());
    let fields = || uri.query().into_iter().flat_map(|query| query.split('&')).map(|field| field.split('=').next().unwrap_or_default());
    let is_plain =
        fields().all(|field| field == "x-id" || field == "versionId" || field.starts_with("X-Amz-") || field.starts_with("response-"));
    match *method {
        Method::GET if of_object && is_plain => "GetObject",
        Method::PUT if of_object && is_plain && !headers.contains_key("x-amz-copy-source") => "PutObject",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_are_told_by_method_path_and_query() {
        for (method, uri, copies, found) in [
            (Method::GET, "/b/k", false, "GetObject"),
            (Method::GET, "/b/a/k?x-id=GetObject&response-content-type=text%2Fplain", false, "GetObject"),
            (Method::GET, "/b/k?tagging", false, ""),
            (Method::GET, "/b/k?uploadId=1", false, ""),
            (Method::GET, "/b?list-type=2", false, ""),
            (Method::GET, "/b/", false, ""),
            (Method::PUT, "/b/k?X-Amz-Expires=60", false, "PutObject"),
            (Method::PUT, "/b/k?partNumber=1&uploadId=1", false, ""),
            (Method::PUT, "/b/k", true, ""),
            (Method::DELETE, "/b/k", false, ""),
        ] {
            let mut headers = HeaderMap::new();
            if copies {
                headers.insert("x-amz-copy-source", "/b/other".parse().unwrap());
            }
            assert_eq!(operation(&method, &uri.parse().unwrap(), &headers), found, "{method} {uri}");
        }
    }
}
