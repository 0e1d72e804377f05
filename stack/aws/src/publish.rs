//! `brownout layer publish`: a zip becomes a version of the layer, unless the newest version for its architecture has the same content. A version
//! is never changed, and none is deleted.

use std::collections::BTreeSet;
use std::time::Duration;

use aws_config::timeout::TimeoutConfig;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{Architecture, LayerVersionContentInput};
use exports::Arn;

use crate::attach::Layer;
use crate::call::{CallError, Meaning};
use crate::client::Lambda;
use crate::named_stack::ResolveError;
use crate::named_stack::layer::{choose, versions};
use crate::secret::Variables;

/// The largest zip that Lambda takes in a request. Source: AWS Lambda Developer Guide, "Lambda quotas".
pub const MOST_BYTES: usize = 50 * 1024 * 1024;

/// An upload of that size takes this long at 1.5 MB/s.
const UPLOAD: Duration = Duration::from_secs(60);

const LICENCE: &str = "MIT OR Apache-2.0";

/// A version of the layer with the wanted content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// The version's ARN.
    pub arn: Arn,
    /// It was made now, and not found.
    pub is_new: bool,
}

/// Why there is no version with the wanted content.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// A call failed.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The versions that exist cannot be read.
    #[error(transparent)]
    Versions(#[from] ResolveError),
    /// An answer without what it must have.
    #[error("the answer to `PublishLayerVersion` of `{0}` has no valid ARN; look at the versions of the layer, and publish again")]
    Incomplete(String),
    /// Lambda has other bytes than the zip.
    #[error(
        "`{arn}` has the SHA-256 `{found}` and not `{wanted}`: what was uploaded did not arrive; delete that version, and publish again"
    )]
    Other {
        /// The version.
        arn: Arn,
        /// What Lambda tells.
        found: String,
        /// That of the zip.
        wanted: String,
    },
}

/// The version of the layer `name` with the content `zip`, whose SHA-256 in base64 is `code_sha`. It looks before each try, so a lost answer
/// makes no second version.
///
/// # Errors
/// If a call failed, an answer is not complete, or Lambda has other bytes than the zip.
pub async fn publish(lambda: &Lambda, name: &str, architecture: &str, zip: &[u8], code_sha: &str) -> Result<Published, PublishError> {
    let mut pauses = lambda.patience.begin();
    loop {
        if let Some(arn) = standing(lambda, name, architecture, code_sha).await? {
            return Ok(Published { arn, is_new: false });
        }
        match upload(lambda, name, architecture, zip).await {
            Err(PublishError::Call(error)) if error.meaning == Meaning::Again && pauses.pause().await => (),
            Ok((arn, found)) if found != code_sha => return Err(PublishError::Other { arn, found, wanted: code_sha.to_owned() }),
            uploaded => return uploaded.map(|(arn, _)| Published { arn, is_new: true }),
        }
    }
}

/// The newest version for the architecture, if it has this content.
async fn standing(lambda: &Lambda, name: &str, architecture: &str, code_sha: &str) -> Result<Option<Arn>, PublishError> {
    let fits = versions(lambda, name).await?.into_iter().filter(|version| version.architectures == [architecture]).collect();
    let Some(arn) = choose(fits, &BTreeSet::new()) else { return Ok(None) };
    let Ok(layer) = Layer::try_from(arn.to_string()) else { return Ok(None) };
    let read = lambda.patience.insist(|| async {
        let call = lambda.client.get_layer_version().layer_name(layer.stem()).version_number(layer.number());
        call.send().await.map_err(|error| CallError::read("GetLayerVersion", layer.arn(), &error, &Variables::default()))
    });
    let read = read.await?;
    let is_same = read.content().and_then(|content| content.code_sha256()) == Some(code_sha);
    Ok(is_same.then_some(arn))
}

/// Publishes once; the version's ARN, and the SHA-256 that Lambda tells of it.
async fn upload(lambda: &Lambda, name: &str, architecture: &str, zip: &[u8]) -> Result<(Arn, String), PublishError> {
    let content = LayerVersionContentInput::builder().zip_file(Blob::new(zip)).build();
    let call = lambda.client.publish_layer_version().layer_name(name).content(content).license_info(LICENCE);
    let call = call.description("brownout's extension").compatible_architectures(Architecture::from(architecture)).customize();
    let slow = aws_sdk_lambda::config::Builder::new().timeout_config(TimeoutConfig::builder().operation_timeout(UPLOAD).build());
    let answered = call.config_override(slow).send().await;
    let answer = answered.map_err(|error| CallError::read("PublishLayerVersion", name, &error, &Variables::default()))?;
    let arn = answer.layer_version_arn().and_then(|arn| arn.parse().ok()).ok_or_else(|| PublishError::Incomplete(name.to_owned()))?;
    Ok((arn, answer.content().and_then(|content| content.code_sha256()).unwrap_or("none").to_owned()))
}
