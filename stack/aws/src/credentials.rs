//! Credentials: as the SDK finds them, and else from AWS's command line, which knows every way to log in that a profile may name: single
//! sign-on, a process, a role with a second factor. They are never shown, logged or stored.

use std::fmt::{self, Debug, Formatter};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use aws_config::Region;
use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, future};
use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use serde::Deserialize;
use tokio::process::Command;

/// How long the command may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Both ways to credentials.
pub(crate) struct Found<P> {
    sdk: P,
    command: PathBuf,
    /// Whether there are profiles that the command may know better.
    has_profiles: bool,
}

impl Found<DefaultCredentialsChain> {
    /// The SDK's own chain for calls to `region`, and `aws` on the path where this user has profiles.
    pub(crate) async fn new(region: Option<Region>) -> Self {
        let file = std::env::var_os("AWS_CONFIG_FILE").map(PathBuf::from);
        let of_home = || Some(PathBuf::from(std::env::var_os("HOME")?).join(".aws/config"));
        let mut chain = DefaultCredentialsChain::builder();
        chain.set_region(region);
        Self { sdk: chain.build().await, command: "aws".into(), has_profiles: file.or_else(of_home).is_some_and(|file| file.is_file()) }
    }
}

impl<P> Debug for Found<P> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Found").field("command", &self.command).finish_non_exhaustive()
    }
}

impl<P: ProvideCredentials> Found<P> {
    async fn find(&self) -> Result<Credentials, CredentialsError> {
        let why = match self.sdk.provide_credentials().await {
            Err(why) if self.has_profiles => why,
            found => return found,
        };
        self.by_command().await.map_err(|said| CredentialsError::provider_error(format!("{}; {said}", protocol::chain(&why))))
    }

    /// Source: AWS CLI, `configure export-credentials`, and the SDKs' reference guide, "Process credential provider".
    async fn by_command(&self) -> Result<Credentials, String> {
        let mut command = Command::new(&self.command);
        command.args(["configure", "export-credentials", "--format", "process"]).stdin(Stdio::null()).kill_on_drop(true);
        let shown = "`aws configure export-credentials`";
        let output = tokio::time::timeout(PATIENCE, command.output()).await.map_err(|_| format!("{shown} does not end"))?;
        let output = output.map_err(|error| format!("{shown} cannot be started: {error}"))?;
        if !output.status.success() {
            return Err(format!("{shown}: {}", String::from_utf8_lossy(&output.stderr).trim()));
        }
        // What was printed is a secret: the error says nothing of it.
        let told: Told = serde_json::from_slice(&output.stdout).map_err(|_| format!("{shown} does not print credentials"))?;
        let expires = told.expiration.as_deref().map(|at| DateTime::from_str(at, Format::DateTimeWithOffset)).transpose();
        let expires = expires.ok().flatten().and_then(|at| at.try_into().ok());
        Ok(Credentials::new(told.access_key_id, told.secret_access_key, told.session_token, expires, "aws configure export-credentials"))
    }
}

impl<P: ProvideCredentials> ProvideCredentials for Found<P> {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.find())
    }
}

/// What the command prints.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Told {
    access_key_id: String,
    secret_access_key: String,
    session_token: Option<String>,
    expiration: Option<String>,
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// An SDK that finds none, or these.
    #[derive(Debug)]
    struct Sdk(Option<Credentials>);

    impl ProvideCredentials for Sdk {
        fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
        where
            Self: 'a,
        {
            let unknown = || CredentialsError::invalid_configuration("this profile needs the feature `sso`");
            future::ProvideCredentials::ready(self.0.clone().ok_or_else(unknown))
        }
    }

    async fn found(sdk: Option<Credentials>, has_profiles: bool, script: &str) -> Result<Credentials, String> {
        let folder = tempfile::tempdir().unwrap();
        let command = folder.path().join("aws");
        std::fs::write(&command, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&command, PermissionsExt::from_mode(0o755)).unwrap();
        let found = Found { sdk: Sdk(sdk), command, has_profiles };
        found.provide_credentials().await.map_err(|error| protocol::chain(&error))
    }

    const PRINTS: &str = r#"[ "$*" = "configure export-credentials --format process" ] &&
echo '{"Version": 1, "AccessKeyId": "AKIA1", "SecretAccessKey": "hidden", "SessionToken": "token", "Expiration": "2026-01-31T12:00:00+00:00"}'"#;

    #[tokio::test]
    async fn where_the_sdk_cannot_log_in_the_command_line_does() {
        let by_command = found(None, true, PRINTS).await.unwrap();
        assert_eq!((by_command.access_key_id(), by_command.session_token()), ("AKIA1", Some("token")));
        let noon = Duration::from_secs(1_769_860_800);
        assert_eq!(by_command.expiry(), Some(std::time::UNIX_EPOCH + noon));
        let own = Credentials::new("AKIA2", "hidden", None, None, "test");
        assert_eq!(found(Some(own), true, PRINTS).await.unwrap().access_key_id(), "AKIA2");
        assert!(found(None, false, PRINTS).await.unwrap_err().contains("feature `sso`"));
    }

    #[tokio::test]
    async fn where_neither_can_both_say_why_and_no_secret_is_shown() {
        let expired = found(None, true, "echo 'the SSO session has expired' >&2; exit 255").await.unwrap_err();
        assert!(expired.contains("feature `sso`") && expired.contains("the SSO session has expired"), "{expired}");
        let torn = found(None, true, "echo '{\"SecretAccessKey\": \"hidden\"'").await.unwrap_err();
        assert!(torn.contains("does not print credentials") && !torn.contains("hidden"), "{torn}");
    }
}
