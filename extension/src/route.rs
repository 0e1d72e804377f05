//! The Runtime API's addresses. An unknown address is passed on too: it must never be refused.

/// A runtime's request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route<'a> {
    /// The next event.
    Next,
    /// The handler's answer to the event with this request id.
    Response(&'a str),
    /// The handler's error for the event with this request id.
    Error(&'a str),
    /// The runtime is ready for a snapshot; the answer comes in each environment that is restored from it.
    Restored,
    /// Anything else: init errors, telemetry, later additions.
    Other,
}

/// The Runtime API's path up to the request id. Source: AWS Lambda developer guide, "Using the Lambda runtime API".
pub const INVOCATION: &str = "/2018-06-01/runtime/invocation/";
/// Source: the runtime interface clients for Java and Python, which send this if
/// `AWS_LAMBDA_INITIALIZATION_TYPE` is `snap-start`.
const RESTORED: &[u8] = b"/2018-06-01/runtime/restore/next";

impl<'a> Route<'a> {
    /// The route for a method and a path.
    pub fn of(method: &[u8], path: &'a [u8]) -> Self {
        if method == b"GET" && path == RESTORED {
            return Self::Restored;
        }
        let Some(rest) = std::str::from_utf8(path).ok().and_then(|path| path.strip_prefix(INVOCATION)) else { return Self::Other };
        if method == b"GET" {
            return if rest == "next" { Self::Next } else { Self::Other };
        }
        match rest.split_once('/') {
            Some((id, "response")) if method == b"POST" => Self::Response(id),
            Some((id, "error")) if method == b"POST" => Self::Error(id),
            _ => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_address_has_its_route() {
        for (method, path, route) in [
            ("GET", "/2018-06-01/runtime/invocation/next", Route::Next),
            ("POST", "/2018-06-01/runtime/invocation/next", Route::Other),
            ("POST", "/2018-06-01/runtime/invocation/8476a536/response", Route::Response("8476a536")),
            ("POST", "/2018-06-01/runtime/invocation/8476a536/error", Route::Error("8476a536")),
            ("POST", "/2018-06-01/runtime/init/error", Route::Other),
            ("GET", "/2018-06-01/runtime/restore/next", Route::Restored),
            ("POST", "/2018-06-01/runtime/restore/error", Route::Other),
            ("POST", "/2030-01-01/runtime/invocation/1/response", Route::Other),
            ("GET", "/", Route::Other),
            ("GET", "", Route::Other),
        ] {
            assert_eq!(Route::of(method.as_bytes(), path.as_bytes()), route, "{method} {path}");
        }
        assert_eq!(Route::of(b"GET", b"/2018-06-01/runtime/invocation/\xff"), Route::Other);
    }
}
