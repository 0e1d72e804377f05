//! Why a function cannot be attached, and the fix.

use crate::marker::Run;
use crate::secret::MOST_BYTES;

/// One reason not to attach, found before anything is touched.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Complaint {
    /// Layers cannot be added to images.
    #[error("its package is a container image, which takes no layers; copy the layer's files into the image's `/opt`")]
    Image,
    /// Lambda's limit is five.
    #[error("it has `{0}` layers, and 5 are the most; merge two of them")]
    Layers(usize),
    /// Lambda accepts only one version of a layer.
    #[error("it has another version of the layer, `{0}`; take that one out")]
    OtherVersion(String),
    /// Lambda's limit is 4 KB.
    #[error("its variables would have `{0}` bytes with brownout's, and at most {MOST_BYTES} are allowed; move some to a parameter")]
    Variables(usize),
    /// An update replaces all variables, so those that could not be read would be lost.
    #[error("its variables cannot be read (`{0}`); allow `kms:Decrypt` on their key")]
    Undecipherable(String),
    /// Code signing rejects unsigned layers.
    #[error("its code-signing configuration is `Enforce` and the layer is not signed; sign the layer, or set it to `Warn`")]
    Signing,
    /// Another run holds it.
    #[error("run `{run}` holds it since `{age_s}` s; wait for its end, or `brownout recover --run {run}`")]
    Locked {
        /// The run that holds it.
        run: Run,
        /// For how long, in seconds.
        age_s: u64,
    },
    /// It has a marker that cannot be read.
    #[error("its variable `BROWNOUT_UNDO` is not understood; if no run holds it, take it out")]
    UnreadableMarker,
    /// Its state allows no update.
    #[error("its state is `{0}`, and only `Active` takes an attach; invoke it once, or wait")]
    State(String),
    /// The last update failed.
    #[error("its last update failed (`{0}`); repair that first")]
    LastUpdate(String),
    /// The layer was built for another processor.
    #[error(
        "it runs on `{function}` and the layer is for `{layer}`; name a version for `{function}`; `brownout layer build --arch {function}` and `layer publish` make one"
    )]
    Architecture {
        /// The function's.
        function: String,
        /// The layer's, separated by commas.
        layer: String,
    },
    /// The layer does not say for which processor it was built.
    #[error(
        "it runs on `{function}` and the layer's version names no architecture; publish the layer with `brownout layer publish`, which names it"
    )]
    NoArchitecture {
        /// The function's.
        function: String,
    },
    /// The layer does not exist.
    #[error("the layer `{0}` is not there or may not be read; publish it, or allow `lambda:GetLayerVersion`")]
    NoLayer(String),
    /// The runtime does not know `AWS_LAMBDA_EXEC_WRAPPER`.
    #[error("its runtime `{0}` takes no wrapper; move it to a newer one")]
    Runtime(String),
    /// A setting that is not a `BROWNOUT_*` variable.
    #[error("`{0}` is not a setting of brownout; they begin with `BROWNOUT_`")]
    Setting(String),
}
