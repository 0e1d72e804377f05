//! `export iam-policy`: the permissions that brownout itself needs for one experiment, by ARN.

use super::experiment::Experiment;
use super::policies;
use super::text::json;
use super::written::{File, Refused, checked};

/// Five policies: for the user of `brownout run`, `detach` and `recover`; for `run --via fis`; what
/// both need in addition for `--stack`; for `layer publish`; and for the functions' roles.
///
/// # Errors
/// If the experiment has complaints.
pub fn iam_policy(experiment: &Experiment) -> Result<Vec<File>, Refused> {
    checked(experiment)?;
    Ok(vec![
        File::new("brownout-policy.json", json(&policies::of_brownout(experiment))),
        File::new("brownout-via-fis-policy.json", json(&policies::of_the_driver(experiment))),
        File::new("stack-policy.json", json(&policies::of_the_lookup(experiment))),
        File::new("layer-policy.json", json(&policies::of_the_layer(experiment))),
        File::new("function-role-policy.json", json(&policies::of_the_functions(experiment))),
    ])
}
