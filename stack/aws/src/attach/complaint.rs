//! Why a function cannot be attached to, and what would do.

use crate::marker::Run;
use crate::secret::MOST_BYTES;

/// One reason not to attach, found before anything is touched.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Complaint {
    /// Layers cannot be added to images.
    #[error("its package is a container image, which takes no layers; copy the layer's files into the image's `/opt`")]
    Image,
    /// Lambda takes five.
    #[error("it has `{0}` layers, and 5 are the most; merge two of them")]
    Layers(usize),
    /// Lambda takes one version of a layer.
    #[error("it has another version of the layer, `{0}`; take that one out")]
    OtherVersion(String),
    /// Lambda takes 4 KB.
    #[error("its variables would have `{0}` bytes with brownout's, and at most {MOST_BYTES} are allowed; move some to a parameter")]
    Variables(usize),
    /// Writing variables whole that were not read would lose them.
    #[error("its variables cannot be read (`{0}`); allow `kms:Decrypt` on their key")]
    Undecipherable(String),
    /// Code signing.
    #[error("its code-signing configuration is `Enforce` and the layer is not signed; sign the layer, or set it to `Warn`")]
    Signing,
    /// Another run holds it.
    #[error("run `{run}` holds it since `{age_s}` s; wait for its end, or `brownout recover --run {run}`")]
    Locked {
        /// Whose it is.
        run: Run,
        /// For how long, in seconds.
        age_s: u64,
    },
    /// There is a marker that is not understood.
    #[error("its variable `BROWNOUT_UNDO` is not understood; if no run holds it, take it out")]
    UnreadableMarker,
    /// It is not in a state to be updated.
    #[error("its state is `{0}`, and only `Active` takes an attach; invoke it once, or wait")]
    State(String),
    /// Somebody's update failed.
    #[error("its last update failed (`{0}`); repair that first")]
    LastUpdate(String),
    /// The layer was built for another processor.
    #[error("it runs on `{function}` and the layer is for `{layer}`; build the layer with `--arch`")]
    Architecture {
        /// The function's.
        function: String,
        /// The layer's, with commas.
        layer: String,
    },
    /// There is no such layer.
    #[error("the layer `{0}` is not there or may not be read; publish it, or allow `lambda:GetLayerVersion`")]
    NoLayer(String),
    /// The runtime does not know `AWS_LAMBDA_EXEC_WRAPPER`.
    #[error("its runtime `{0}` takes no wrapper; move it to a newer one")]
    Runtime(String),
    /// A setting that is not ours.
    #[error("`{0}` is not a setting of brownout; they begin with `BROWNOUT_`")]
    Setting(String),
}
