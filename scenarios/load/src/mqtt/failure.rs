//! Why a connection to the broker failed, and whether trying again can help.

use std::io::{self, ErrorKind};

use rumqttc::mqttbytes;
use rumqttc::{ConnectReturnCode, ConnectionError, StateError, TlsError};
use tokio_rustls::rustls::{self, AlertDescription};

/// Why a connection failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Why, in a phrase.
    pub why: String,
    /// Whether every further attempt fails in the same way.
    pub lasting: bool,
}

impl Failure {
    /// The broker accepted the client, but not what it subscribed to.
    pub(super) fn of_subscription() -> Self {
        let why = "the broker refused a subscription; the policy of the certificate must allow `iot:Subscribe` to the thing's own shadow";
        Self { why: why.to_owned(), lasting: true }
    }

    fn passing(why: String) -> Self {
        Self { why, lasting: false }
    }

    fn of_tls(error: &rustls::Error) -> Self {
        match error {
            rustls::Error::InvalidCertificate(why) => Self {
                why: format!("the broker's certificate is not accepted: {why}; `ca.pem` in the folder of certificates says who signs it"),
                lasting: true,
            },
            rustls::Error::AlertReceived(alert) if is_about_certificates(*alert) => Self {
                why: format!(
                    "the broker does not accept the device's certificate: {alert:?}; it must be active; run `brownout seed` again"
                ),
                lasting: true,
            },
            other => Self::passing(other.to_string()),
        }
    }
}

impl From<&ConnectionError> for Failure {
    fn from(error: &ConnectionError) -> Self {
        use ConnectReturnCode::{BadClientId, BadUserNamePassword, NotAuthorized, RefusedProtocolVersion};
        if let Some(error) = tls_error(error) {
            return Self::of_tls(error);
        }
        if is_closed(error) {
            // AWS IoT does not say why; it also does so when there are too many connections a second.
            let why = "the broker closed the connection; the certificate must be active, and its policy must allow `iot:Connect` with the \
                       thing's name as client id";
            return Self::passing(why.to_owned());
        }
        match error {
            ConnectionError::ConnectionRefused(code) => {
                let lasting = matches!(code, BadClientId | BadUserNamePassword | NotAuthorized | RefusedProtocolVersion);
                Self { why: format!("the broker refused the connection: {code:?}"), lasting }
            }
            other => Self::passing(other.to_string()),
        }
    }
}

fn tls_error(error: &ConnectionError) -> Option<&rustls::Error> {
    match error {
        ConnectionError::Tls(TlsError::TLS(error)) => Some(error),
        other => io_error(other)?.get_ref()?.downcast_ref(),
    }
}

fn io_error(error: &ConnectionError) -> Option<&io::Error> {
    match error {
        ConnectionError::Tls(TlsError::Io(io))
        | ConnectionError::Io(io)
        | ConnectionError::MqttState(StateError::Io(io) | StateError::Deserialization(mqttbytes::Error::Io(io))) => Some(io),
        _ => None,
    }
}

fn is_closed(error: &ConnectionError) -> bool {
    let aborted = matches!(error, ConnectionError::MqttState(StateError::ConnectionAborted));
    let kind = io_error(error).map(io::Error::kind);
    aborted || matches!(kind, Some(ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe))
}

fn is_about_certificates(alert: AlertDescription) -> bool {
    use AlertDescription as Alert;
    matches!(
        alert,
        Alert::AccessDenied
            | Alert::BadCertificate
            | Alert::CertificateExpired
            | Alert::CertificateRequired
            | Alert::CertificateRevoked
            | Alert::CertificateUnknown
            | Alert::DecryptError
            | Alert::UnknownCA
            | Alert::UnsupportedCertificate
    )
}

#[cfg(test)]
mod tests {
    use tokio_rustls::rustls::CertificateError;

    use super::*;

    #[test]
    fn only_what_trying_again_cannot_mend_is_lasting() {
        let read = |error: rustls::Error| {
            let io = io::Error::new(io::ErrorKind::InvalidData, error);
            ConnectionError::MqttState(StateError::Deserialization(mqttbytes::Error::Io(io)))
        };
        for (error, said, lasting) in [
            (read(rustls::Error::AlertReceived(AlertDescription::CertificateExpired)), "CertificateExpired", true),
            (read(rustls::Error::AlertReceived(AlertDescription::InternalError)), "InternalError", false),
            (ConnectionError::Tls(TlsError::TLS(CertificateError::UnknownIssuer.into())), "ca.pem", true),
            (ConnectionError::ConnectionRefused(ConnectReturnCode::NotAuthorized), "NotAuthorized", true),
            (ConnectionError::ConnectionRefused(ConnectReturnCode::ServiceUnavailable), "ServiceUnavailable", false),
            (ConnectionError::MqttState(StateError::ConnectionAborted), "iot:Connect", false),
            (ConnectionError::Io(ErrorKind::ConnectionReset.into()), "iot:Connect", false),
            (ConnectionError::Io(ErrorKind::ConnectionRefused.into()), "refused", false),
            (ConnectionError::NetworkTimeout, "timeout", false),
        ] {
            let failure = Failure::from(&error);
            assert!(failure.why.contains(said) && failure.lasting == lasting, "{error:?}: {failure:?}");
        }
    }
}
