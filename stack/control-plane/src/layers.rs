//! Layer versions: publishing, reading and listing them. Source: AWS Lambda API Reference.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::arn::{ACCOUNT, REGION, layer_arn};
use crate::state::{ControlPlane, page};

/// The longest request that uploads a layer: 50 MB in base64. Source: AWS Lambda Developer Guide, "Lambda quotas".
const MOST_BYTES: usize = 69_905_067;

/// A version of a layer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LayerVersion {
    /// The architectures that it names; empty if it names none.
    pub architectures: Vec<String>,
    /// The SHA-256 of its zip in base64.
    pub code_sha: String,
    /// The size of its zip in bytes.
    pub size: usize,
}

impl LayerVersion {
    /// One without content for these architectures.
    pub fn on(architectures: &[&str]) -> Self {
        Self { architectures: architectures.iter().map(|one| (*one).to_owned()).collect(), ..Self::default() }
    }

    fn shown(&self, arn: &str) -> Value {
        let (stem, number) = arn.rsplit_once(':').unwrap_or((arn, "0"));
        let content = json!({"CodeSha256": self.code_sha, "CodeSize": self.size});
        json!({
            "LayerArn": stem, "LayerVersionArn": arn, "Version": number.parse::<u64>().unwrap_or_default(),
            "CompatibleArchitectures": self.architectures, "Content": content,
        })
    }
}

impl ControlPlane {
    /// `PublishLayerVersion`: each call makes another version.
    pub(crate) fn publish_layer(&mut self, name: &str, wish: &Value) -> Result<Answer, Answer> {
        let is_name = (1..=64).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
        if !is_name {
            return Err(Answer::invalid(format!("Value '{name}' at 'layerName' failed to satisfy constraint: [a-zA-Z0-9-_]+")));
        }
        let text = wish.pointer("/Content/ZipFile").and_then(Value::as_str).unwrap_or_default();
        if text.len() > MOST_BYTES {
            return Err(Answer::refused(413, "RequestEntityTooLargeException", format!("Request must be smaller than {MOST_BYTES} bytes")));
        }
        let zip = STANDARD.decode(text).unwrap_or_default();
        if !zip.starts_with(b"PK") {
            return Err(Answer::invalid("Could not unzip uploaded file. Please check your file, then try to upload again."));
        }
        let given: Vec<_> = wish["CompatibleArchitectures"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        if given.iter().any(|one| !["x86_64", "arm64"].contains(one)) {
            return Err(Answer::invalid("Value at 'compatibleArchitectures' failed to satisfy constraint: [x86_64, arm64]"));
        }
        let stem = format!("arn:aws:lambda:{REGION}:{ACCOUNT}:layer:{name}");
        let number = (1..).find(|number| !self.layers.contains_key(&format!("{stem}:{number}"))).unwrap_or(1);
        let arn = format!("{stem}:{number}");
        let code_sha = STANDARD.encode(digest(&SHA256, &zip));
        let version = LayerVersion { code_sha, size: zip.len(), ..LayerVersion::on(&given) };
        let shown = version.shown(&arn);
        self.layers.insert(arn, version);
        Ok(Answer::ok(201, shown))
    }

    /// `GetLayerVersion` and `GetLayerVersionByArn`.
    pub(crate) fn get_layer(&self, arn: &str) -> Result<Answer, Answer> {
        let found = self.layers.get(arn).ok_or_else(|| Answer::not_found(format!("Layer version {arn}")))?;
        Ok(Answer::ok(200, found.shown(arn)))
    }

    /// `ListLayerVersions`: the newest first, in pages, without their contents; a layer that does not exist has none.
    pub(crate) fn list_layer_versions(&self, name: &str, marker: Option<&str>, size: usize) -> Answer {
        let stem = layer_arn(name, "");
        let number = |arn: &str| arn.strip_prefix(&stem).and_then(|number| number.parse::<u64>().ok());
        let mut found: Vec<_> = self.layers.iter().filter_map(|(arn, version)| Some((number(arn)?, arn, version))).collect();
        found.sort_by_key(|(number, ..)| std::cmp::Reverse(*number));
        let shown = found.into_iter().map(
            |(number, arn, version)| json!({"LayerVersionArn": arn, "Version": number, "CompatibleArchitectures": version.architectures}),
        );
        page("LayerVersions", shown.collect(), marker, size)
    }
}
