//! The layer version that is attached: the one that is named, or the newest that fits.

use std::collections::BTreeSet;

use exports::Arn;
use protocol::LAYER;

use super::error::ResolveError;
use crate::call::{CallError, Meaning};
use crate::client::Lambda;
use crate::secret::Variables;

/// A version of the layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Version {
    pub(crate) arn: Arn,
    pub(crate) number: i64,
    pub(crate) architectures: Vec<String>,
}

/// The layer version with this ARN.
///
/// # Errors
/// If it is not the ARN of a layer version.
pub fn named(arn: &str) -> Result<Arn, ResolveError> {
    let arn: Arn = arn.parse().map_err(ResolveError::Layer)?;
    let version = arn.named("lambda", "layer").and_then(|rest| rest.split_once(':')).and_then(|(_, version)| version.parse::<u32>().ok());
    match version {
        Some(_) => Ok(arn),
        None => Err(ResolveError::Layer(format!("`{arn}` is not a version of a layer; its ARN ends with `layer:<name>:<version>`"))),
    }
}

/// The newest version of the account's layer that runs on all these architectures.
///
/// # Errors
/// If there is none; the error of the last call.
pub async fn newest(lambda: &Lambda, architectures: &BTreeSet<String>) -> Result<Arn, ResolveError> {
    let found = choose(versions(lambda, LAYER).await?, architectures);
    found.ok_or_else(|| {
        let named: Vec<_> = architectures.iter().map(|one| format!("`{one}`")).collect();
        let architectures = if named.is_empty() { "any architecture".to_owned() } else { named.join(" and ") };
        ResolveError::NoLayer { architectures }
    })
}

/// The newest that fits all of these. Of a version that names no architecture it is not known.
pub(crate) fn choose(versions: Vec<Version>, architectures: &BTreeSet<String>) -> Option<Arn> {
    let fits = |version: &Version| architectures.iter().all(|one| version.architectures.contains(one));
    versions.into_iter().filter(fits).max_by_key(|version| version.number).map(|version| version.arn)
}

/// The versions of the account's layer of this name.
pub(crate) async fn versions(lambda: &Lambda, name: &str) -> Result<Vec<Version>, ResolveError> {
    let (mut all, mut marker) = (Vec::new(), None);
    loop {
        let page = lambda.patience.insist(|| async {
            let call = lambda.client.list_layer_versions().layer_name(name).set_marker(marker.clone());
            call.send().await.map_err(|error| CallError::read("ListLayerVersions", name, &error, &Variables::default()))
        });
        let page = match page.await {
            Err(error) if error.meaning == Meaning::Missing => return Ok(all),
            page => page?,
        };
        for version in page.layer_versions() {
            let arn = version.layer_version_arn().and_then(|arn| arn.parse().ok());
            let incomplete = || ResolveError::Incomplete { call: "ListLayerVersions", of: name.to_owned(), what: "`LayerVersionArn`" };
            let architectures = version.compatible_architectures().iter().map(|one| one.as_str().to_owned()).collect();
            all.push(Version { arn: arn.ok_or_else(incomplete)?, number: version.version(), architectures });
        }
        marker = page.next_marker().filter(|marker| !marker.is_empty()).map(str::to_owned);
        if marker.is_none() {
            return Ok(all);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(number: i64, architectures: &[&str]) -> Version {
        let arn = format!("arn:aws:lambda:eu-central-1:123456789012:layer:brownout:{number}").parse().unwrap();
        Version { arn, number, architectures: architectures.iter().map(|one| (*one).to_owned()).collect() }
    }

    #[test]
    fn the_newest_version_that_runs_on_all_architectures_is_chosen() {
        let versions = || vec![version(9, &["x86_64"]), version(11, &["arm64"]), version(10, &["x86_64", "arm64"]), version(2, &[])];
        for (architectures, expected) in [(&["x86_64"][..], ":10"), (&["arm64"], ":11"), (&["arm64", "x86_64"], ":10"), (&[], ":11")] {
            let wanted = architectures.iter().map(|one| (*one).to_owned()).collect();
            let found = choose(versions(), &wanted).unwrap().to_string();
            assert!(found.ends_with(expected), "{architectures:?}: {found}");
        }
        for other in [&["arm64"][..], &[]] {
            assert_eq!(choose(vec![version(1, other)], &BTreeSet::from(["x86_64".to_owned()])), None, "{other:?}");
        }
    }

    #[test]
    fn only_a_version_of_a_layer_can_be_named() {
        assert!(named("arn:aws:lambda:eu-central-1:123456789012:layer:brownout:7").is_ok());
        for arn in ["brownout", "arn:aws:lambda:r:123456789012:layer:brownout", "arn:aws:lambda:r:123456789012:function:f:1"] {
            assert!(named(arn).unwrap_err().to_string().starts_with("invalid layer: "), "{arn}");
        }
    }
}
