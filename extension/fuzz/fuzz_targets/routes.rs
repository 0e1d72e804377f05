//! Any method and path have a route, and a route never contains more than the path did.

#![no_main]

use extension::route::{INVOCATION, Route};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let space = bytes.iter().position(|byte| *byte == b' ').unwrap_or(bytes.len());
    let (method, path) = (&bytes[..space], bytes.get(space + 1..).unwrap_or_default());
    let put_together = match Route::of(method, path) {
        Route::Next => ("GET", format!("{INVOCATION}next")),
        Route::Response(id) => ("POST", format!("{INVOCATION}{id}/response")),
        Route::Error(id) => ("POST", format!("{INVOCATION}{id}/error")),
        Route::Other => return,
    };
    assert_eq!((method, path), (put_together.0.as_bytes(), put_together.1.as_bytes()));
});
