//! Why a stack cannot be resolved.

use super::functions::NotFound;
use crate::call::CallError;
use crate::endpoints::EndpointError;

/// Why a stack cannot be resolved.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    /// A call failed.
    #[error(transparent)]
    Call(#[from] CallError),
    /// An address is not known.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// No such stack.
    #[error("there is no stack `{stack}` in Region `{region}` of this account; check its name, the Region and the credentials")]
    NoStack {
        /// Its name.
        stack: String,
        /// The Region.
        region: String,
    },
    /// It is not in a state to experiment on.
    #[error("the stack `{stack}` is in `{status}`: {fix}")]
    NotReady {
        /// Its name.
        stack: String,
        /// Its status.
        status: String,
        /// What to do.
        fix: &'static str,
    },
    /// An answer of AWS without something that it must have.
    #[error("the answer to `{call}` of `{of}` has no valid {what}; this is a bug in brownout or in what answers for AWS")]
    Incomplete {
        /// The operation.
        call: &'static str,
        /// The resource.
        of: String,
        /// What is missing.
        what: &'static str,
    },
    /// Stacks within stacks without end.
    #[error("the stack `{stack}` is nested in {deep} others; at most {deep} are read")]
    TooDeep {
        /// The innermost stack.
        stack: String,
        /// How deep it is.
        deep: usize,
    },
    /// Functions that the stack does not have, all of them.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Functions(Vec<NotFound>),
    /// The layer's name is not an ARN.
    #[error("invalid layer: {0}")]
    Layer(String),
    /// No layer version fits.
    #[error(
        "the account has no version of the layer `brownout` for {architectures} in this Region; `brownout layer build` and \
         `brownout layer publish` make one; or name a layer version by its ARN in `[aws] layer`"
    )]
    NoLayer {
        /// What the functions run on.
        architectures: String,
    },
    /// An API whose stage is not clear.
    #[error("the API `{api}` has the stages {stages}, and it is not clear which one is meant; leave one of them in the stack")]
    Stages {
        /// Its logical id.
        api: String,
        /// The stages.
        stages: String,
    },
}
