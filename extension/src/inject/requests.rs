//! The requests that brownout itself sends for an invocation, in the runtime's name.

use crate::route::INVOCATION;

/// `POST .../error`. Source: AWS Lambda developer guide, "Invocation error".
pub(super) fn error_request(id: &str, host: &str, error_type: &str, message: &str) -> Vec<u8> {
    let body = serde_json::json!({ "errorMessage": message, "errorType": error_type, "stackTrace": [] }).to_string();
    let headers = format!("Content-Type: application/vnd.aws.lambda.error+json\r\nLambda-Runtime-Function-Error-Type: {error_type}\r\n");
    request(id, "error", host, &headers, &body)
}

/// `POST .../response`.
pub(super) fn response_request(id: &str, host: &str, body: &str) -> Vec<u8> {
    request(id, "response", host, "Content-Type: application/json\r\n", body)
}

fn request(id: &str, what: &str, host: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    let mut request =
        format!("POST {INVOCATION}{id}/{what} HTTP/1.1\r\nHost: {host}\r\n{headers}Content-Length: {length}\r\n\r\n").into_bytes();
    request.extend_from_slice(body.as_bytes());
    request
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_posted_as_the_runtime_would() {
        let request = String::from_utf8(error_request("r-1", "127.0.0.1:9001", "Brownout.Injected", "say \"no\"")).unwrap();
        let (head, body) = request.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("POST /2018-06-01/runtime/invocation/r-1/error HTTP/1.1\r\nHost: 127.0.0.1:9001\r\n"), "{head}");
        assert!(head.contains("Lambda-Runtime-Function-Error-Type: Brownout.Injected"), "{head}");
        assert!(head.ends_with(&format!("Content-Length: {}", body.len())), "{head}");
        assert_eq!(body, r#"{"errorMessage":"say \"no\"","errorType":"Brownout.Injected","stackTrace":[]}"#);
    }
}
