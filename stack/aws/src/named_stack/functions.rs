//! The functions that an experiment names, found in a stack and read from Lambda.

use std::time::Duration;

use exports::{Arn, Function};

use super::error::ResolveError;
use super::resource::{Kind, Resource, Resources};
use crate::call::CallError;
use crate::client::Lambda;
use crate::secret::Variables;

/// How many functions an error names.
const NAMED: usize = 5;

/// A name that stands for no function of the stack, or for several.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotFound {
    /// None has the name.
    #[error("the stack has no function `{asked}`; it has {}", listed(.near, "no function at all"))]
    None {
        /// The name.
        asked: String,
        /// The functions with the most similar names.
        near: Vec<String>,
    },
    /// Several have it.
    #[error("`{asked}` is the logical id of several functions in nested stacks: {}; name the function itself", listed(.functions, "none"))]
    Several {
        /// The name.
        asked: String,
        /// The functions.
        functions: Vec<String>,
    },
}

fn listed(names: &[String], none: &str) -> String {
    if names.is_empty() { none.to_owned() } else { names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ") }
}

/// The functions that are asked for, each by its name or by its logical id, in that order.
///
/// # Errors
/// Every name that is not one function.
pub fn find<'a>(resources: &'a Resources, asked: &[String]) -> Result<Vec<&'a str>, ResolveError> {
    let (mut found, mut missing) = (Vec::new(), Vec::new());
    for asked in asked {
        match one(resources, asked) {
            Ok(function) => found.push(function.physical.as_str()),
            Err(error) => missing.push(error),
        }
    }
    if missing.is_empty() { Ok(found) } else { Err(ResolveError::Functions(missing)) }
}

/// An exact name counts more than an exact logical id, and that more than a similar one.
fn one<'a>(resources: &'a Resources, asked: &str) -> Result<&'a Resource, NotFound> {
    let rules: [&dyn Fn(&Resource) -> bool; 3] =
        [&|function| function.physical == asked, &|function| function.logical == asked, &|function| {
            plain(&function.logical) == plain(asked)
        }];
    for rule in rules {
        let matching: Vec<_> = resources.of(Kind::Function).filter(|function| rule(function)).collect();
        let Some(outer) = matching.iter().map(|function| function.depth).min() else { continue };
        let matching: Vec<_> = matching.into_iter().filter(|function| function.depth == outer).collect();
        return match matching.as_slice() {
            [function] => Ok(function),
            several => {
                let functions = several.iter().map(|function| function.physical.clone()).collect();
                Err(NotFound::Several { asked: asked.to_owned(), functions })
            }
        };
    }
    Err(NotFound::None { asked: asked.to_owned(), near: near(resources, asked) })
}

/// `pre-sign-in`, `PreSignIn` and `PreSignInFunction` are the same: templates of SAM have the last for the first.
fn plain(name: &str) -> String {
    let plain: String = name.chars().filter(|c| c.is_ascii_alphanumeric()).map(|c| c.to_ascii_lowercase()).collect();
    plain.strip_suffix("function").map(str::to_owned).unwrap_or(plain)
}

fn near(resources: &Resources, asked: &str) -> Vec<String> {
    let likeness = |name: &str| strsim::jaro_winkler(&plain(asked), &plain(name));
    let mut rated: Vec<_> = resources
        .of(Kind::Function)
        .map(|function| (likeness(&function.logical).max(likeness(&function.physical)), function.logical.clone()))
        .collect();
    rated.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    rated.into_iter().take(NAMED).map(|(_, name)| name).collect()
}

/// A function as Lambda has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Configured {
    /// What an experiment needs; all layers are in it, brownout's too.
    pub function: Function,
    /// `x86_64` or `arm64`.
    pub architecture: String,
}

impl Configured {
    /// The function without brownout's layer, in any version.
    pub fn without(mut self, layer: &Arn) -> Function {
        let stem = |arn: &Arn| arn.to_string().rsplit_once(':').map(|(stem, _)| stem.to_owned());
        self.function.layers.retain(|one| stem(one) != stem(layer));
        self.function
    }
}

/// Reads a function's configuration.
///
/// # Errors
/// The error of the last call.
pub async fn read(lambda: &Lambda, name: &str) -> Result<Configured, ResolveError> {
    let call = || async {
        let call = lambda.client.get_function_configuration().function_name(name);
        call.send().await.map_err(|error| CallError::read("GetFunctionConfiguration", name, &error, &Variables::default()))
    };
    let read = lambda.patience.insist(call).await?;
    let missing = |what| ResolveError::Incomplete { call: "GetFunctionConfiguration", of: name.to_owned(), what };
    let arn = |text: Option<&str>, what| text.and_then(|text| text.parse::<Arn>().ok()).ok_or_else(|| missing(what));
    let layers = read.layers().iter().map(|layer| arn(layer.arn(), "layer")).collect::<Result<_, _>>()?;
    let timeout = read.timeout().and_then(|seconds| u64::try_from(seconds).ok()).ok_or_else(|| missing("`Timeout`"))?;
    let log_group = read.logging_config().and_then(|logging| logging.log_group());
    let log_group = log_group.filter(|group| *group != format!("/aws/lambda/{name}")).map(str::to_owned);
    let function = Function {
        arn: arn(read.function_arn(), "`FunctionArn`")?,
        role: arn(read.role(), "`Role`")?,
        layers,
        alias: None,
        key: read.kms_key_arn().filter(|key| !key.is_empty()).map(|key| arn(Some(key), "`KMSKeyArn`")).transpose()?,
        triggers: Vec::new(),
        timeout: Duration::from_secs(timeout),
        log_group,
    };
    let architecture = read.architectures().first().map_or("x86_64", |architecture| architecture.as_str()).to_owned();
    Ok(Configured { function, architecture })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stack() -> Resources {
        let mut resources = Resources::default();
        for (logical, physical, kind, depth) in [
            ("AuthorizerFunction", "authorizer", Kind::Function, 0),
            ("ListFunction", "clinic-dev-ListFunction-1A", Kind::Function, 0),
            ("List", "clinic-dev-ListTable-1B", Kind::Other, 0),
            ("Worker", "mail-Worker-1C", Kind::Function, 1),
            ("Worker", "audit-Worker-1D", Kind::Function, 1),
            ("ListFunction", "mail-ListFunction-1E", Kind::Function, 1),
        ] {
            resources.push(Resource { logical: logical.into(), physical: physical.into(), kind, depth });
        }
        resources
    }

    #[test]
    fn a_function_is_found_by_its_name_or_its_logical_id() {
        for (asked, expected) in [
            ("authorizer", "authorizer"),
            ("AuthorizerFunction", "authorizer"),
            ("Authorizer", "authorizer"),
            ("list", "clinic-dev-ListFunction-1A"),
            ("mail-ListFunction-1E", "mail-ListFunction-1E"),
            ("audit-Worker-1D", "audit-Worker-1D"),
        ] {
            assert_eq!(find(&stack(), &[asked.to_owned()]).unwrap(), [expected], "{asked}");
        }
    }

    #[test]
    fn all_names_that_are_no_function_are_reported_with_similar_ones() {
        let asked = ["authoriser", "Worker", "list"].map(str::to_owned);
        let error = find(&stack(), &asked).unwrap_err().to_string();
        assert!(error.starts_with("the stack has no function `authoriser`; it has `AuthorizerFunction`, "), "{error}");
        assert!(error.contains("`mail-Worker-1C`, `audit-Worker-1D`; name the function itself"), "{error}");
        assert!(!error.contains("`list`"), "{error}");
        let error = find(&Resources::default(), &asked[..1]).unwrap_err().to_string();
        assert!(error.ends_with("it has no function at all"), "{error}");
    }
}
