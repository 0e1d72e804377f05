//! The gateway's own answers, letter by letter: REST APIs, HTTP APIs and functions' URLs word them
//! differently.

use bytes::Bytes;
use hyper::Response;
use hyper::header::{CONTENT_TYPE, HeaderValue, WWW_AUTHENTICATE};

use super::routes::Front;
use crate::platform::http::{self, Piece};

/// Source: the answer of a URL to a call that it does not allow, github.com/awsdocs/aws-lambda-developer-guide/issues/494.
const URL_FORBIDDEN: &str = r#"{"Message":"Forbidden. For troubleshooting Function URL authorization issues, see: https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html"}"#;

/// An answer that did not come from a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// No API has that stage.
    NoStage,
    /// No route has that method.
    NoRoute,
    /// No key or a wrong one.
    NoKey,
    /// An identity source is missing, or does not have the form.
    Unauthorized,
    /// The token is not valid, in the words of `error_description`.
    InvalidToken(&'static str),
    /// The token has expired.
    ExpiredToken,
    /// The token has none of the route's scopes.
    InsufficientScope,
    /// The request is not signed.
    NotSigned,
    /// The request's signature is not understood or not right.
    BadSignature(&'static str, &'static str),
    /// The authorizer's policy says nothing about the method.
    ImplicitDeny,
    /// The authorizer's policy denies the method.
    ExplicitDeny,
    /// The resource policy does not allow the method.
    PolicyDeny {
        /// Whether it denies it.
        explicit: bool,
        /// The method.
        method_arn: String,
    },
    /// The authorizer failed, timed out, was throttled or returned no policy.
    AuthorizerFailed,
    /// The body is larger than the gateway accepts.
    TooLarge,
    /// The function failed, or its result is not a valid answer.
    BadGateway,
    /// The function was throttled.
    Throttled,
    /// The function took longer than the gateway waits.
    TimedOut,
}

impl Refusal {
    /// The answer.
    pub(crate) fn response(&self, front: Front) -> Response<Piece> {
        match front {
            Front::Rest => self.rest(),
            Front::Http => self.http(),
            Front::Url => self.url(),
        }
    }

    /// Source: "Gateway response types", and the answers of API Gateway.
    fn rest(&self) -> Response<Piece> {
        let (status, kind, body) = match self {
            Self::NoStage | Self::NoKey => (403, "ForbiddenException", r#"{"message":"Forbidden"}"#),
            Self::NoRoute | Self::NotSigned => {
                (403, "MissingAuthenticationTokenException", r#"{"message":"Missing Authentication Token"}"#)
            }
            Self::Unauthorized | Self::InvalidToken(_) | Self::InsufficientScope => {
                (401, "UnauthorizedException", r#"{"message":"Unauthorized"}"#)
            }
            Self::ExpiredToken => (401, "UnauthorizedException", r#"{"message":"The incoming token has expired"}"#),
            Self::BadSignature(kind, message) => return rest(403, kind, format!(r#"{{"message":"{message}"}}"#)),
            Self::ImplicitDeny => (403, "AccessDeniedException", r#"{"Message":"User is not authorized to access this resource"}"#),
            Self::ExplicitDeny => {
                (403, "AccessDeniedException", r#"{"Message":"User is not authorized to access this resource with an explicit deny"}"#)
            }
            Self::PolicyDeny { explicit, method_arn } => {
                return rest(403, "AccessDeniedException", policy_denies(*explicit, method_arn));
            }
            Self::AuthorizerFailed => (500, "AuthorizerConfigurationException", r#"{"message":null}"#),
            Self::TooLarge => (413, "RequestTooLargeException", r#"{"message":"Request Too Long"}"#),
            Self::BadGateway => (502, "InternalServerErrorException", r#"{"message":"Internal server error"}"#),
            Self::Throttled => (500, "InternalServerErrorException", r#"{"message":"Internal server error"}"#),
            Self::TimedOut => (504, "InternalServerErrorException", r#"{"message":"Endpoint request timed out"}"#),
        };
        rest(status, kind, Bytes::from_static(body.as_bytes()))
    }

    /// Source: the answers of HTTP APIs; "Troubleshooting issues with HTTP API JWT authorizers" for
    /// `www-authenticate`.
    fn http(&self) -> Response<Piece> {
        let (status, body) = match self {
            Self::NoStage | Self::NoRoute => (404, r#"{"message":"Not Found"}"#),
            Self::Unauthorized | Self::InvalidToken(_) | Self::ExpiredToken => (401, r#"{"message":"Unauthorized"}"#),
            Self::NoKey
            | Self::InsufficientScope
            | Self::NotSigned
            | Self::BadSignature(..)
            | Self::ImplicitDeny
            | Self::ExplicitDeny
            | Self::PolicyDeny { .. } => (403, r#"{"message":"Forbidden"}"#),
            Self::AuthorizerFailed | Self::BadGateway => (500, r#"{"message":"Internal Server Error"}"#),
            Self::TooLarge => (413, r#"{"message":"Request Entity Too Large"}"#),
            Self::Throttled | Self::TimedOut => (503, r#"{"message":"Service Unavailable"}"#),
        };
        let mut response = http::json(status, Bytes::from_static(body.as_bytes()));
        let challenge = match self {
            Self::Unauthorized => "Bearer".to_owned(),
            Self::InvalidToken(why) => format!(r#"Bearer error="invalid_token" error_description="{why}""#),
            Self::ExpiredToken => r#"Bearer error="invalid_token" error_description="the token has expired""#.to_owned(),
            Self::InsufficientScope => r#"Bearer error="insufficient_scope""#.to_owned(),
            _ => return response,
        };
        if let Ok(challenge) = HeaderValue::try_from(challenge) {
            response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        }
        response
    }

    /// Source: the answers of functions' URLs.
    fn url(&self) -> Response<Piece> {
        let (status, body) = match self {
            Self::NoStage | Self::NoRoute => (404, r#"{"Message":null}"#),
            Self::Unauthorized
            | Self::InvalidToken(_)
            | Self::ExpiredToken
            | Self::NoKey
            | Self::InsufficientScope
            | Self::NotSigned
            | Self::BadSignature(..)
            | Self::ImplicitDeny
            | Self::ExplicitDeny
            | Self::PolicyDeny { .. } => (403, URL_FORBIDDEN),
            Self::TooLarge => (413, r#"{"Message":"Request must be smaller than 6291456 bytes for the InvokeFunction operation"}"#),
            Self::Throttled => {
                (429, r#"{"Reason":"ReservedFunctionConcurrentInvocationLimitExceeded","Type":"User","message":"Rate Exceeded."}"#)
            }
            Self::AuthorizerFailed | Self::BadGateway | Self::TimedOut => (502, "Internal Server Error"),
        };
        let mut response = http::json(status, Bytes::from_static(body.as_bytes()));
        match status {
            403 => drop(response.headers_mut().insert("x-amzn-errortype", HeaderValue::from_static("AccessDeniedException"))),
            502 => drop(response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"))),
            _ => {}
        }
        response
    }
}

fn rest(status: u16, kind: &'static str, body: impl Into<Bytes>) -> Response<Piece> {
    let mut response = http::json(status, body);
    response.headers_mut().insert("x-amzn-errortype", HeaderValue::from_static(kind));
    response
}

/// The account in the ARN is masked, as AWS does.
fn policy_denies(explicit: bool, method_arn: &str) -> String {
    let mut parts: Vec<String> = method_arn.splitn(6, ':').map(str::to_owned).collect();
    if let Some(account) = parts.get_mut(4) {
        let shown = account.get(account.len().saturating_sub(4)..).unwrap_or_default();
        *account = format!("********{shown}");
    }
    let with = if explicit { " with an explicit deny" } else { "" };
    let arn = parts.join(":");
    let message = format!("User: anonymous is not authorized to perform: execute-api:Invoke on resource: {arn}{with}");
    serde_json::json!({ "Message": message }).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_front_has_its_own_answers() {
        for (refusal, rest, http, url) in [
            (Refusal::NoRoute, 403, 404, 404),
            (Refusal::Unauthorized, 401, 401, 403),
            (Refusal::InsufficientScope, 401, 403, 403),
            (Refusal::AuthorizerFailed, 500, 500, 502),
            (Refusal::TooLarge, 413, 413, 413),
            (Refusal::BadGateway, 502, 500, 502),
            (Refusal::Throttled, 500, 503, 429),
            (Refusal::TimedOut, 504, 503, 502),
            (Refusal::NotSigned, 403, 403, 403),
        ] {
            let status = |front| refusal.response(front).status().as_u16();
            assert_eq!((status(Front::Rest), status(Front::Http), status(Front::Url)), (rest, http, url), "{refusal:?}");
        }
        let invalid = Refusal::InvalidToken("invalid issuer").response(Front::Http);
        assert_eq!(invalid.headers()["www-authenticate"], r#"Bearer error="invalid_token" error_description="invalid issuer""#);
    }

    #[test]
    fn a_resource_policys_answer_masks_the_account() {
        let body = policy_denies(true, "arn:aws:execute-api:us-east-1:123456789012:abc/dev/GET/a:b");
        let text = "User: anonymous is not authorized to perform: execute-api:Invoke on resource: arn:aws:execute-api:us-east-1:********9012:abc/dev/GET/a:b with an explicit deny";
        assert_eq!(body, serde_json::json!({ "Message": text }).to_string());
    }
}
