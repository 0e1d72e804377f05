//! `export iam-policy`: what brownout itself needs for one experiment, by ARN.

use super::experiment::Experiment;
use super::policies;
use super::text::json;
use super::written::{File, Refused, checked};

/// The policy for whoever runs `brownout run`, `detach` and `recover`, the one for `run --via fis`, and the one for the functions' roles.
///
/// # Errors
/// Where the experiment has complaints.
pub fn iam_policy(experiment: &Experiment) -> Result<Vec<File>, Refused> {
    checked(experiment)?;
    Ok(vec![
        File::new("brownout-policy.json", json(&policies::of_brownout(experiment))),
        File::new("brownout-via-fis-policy.json", json(&policies::of_the_driver(experiment))),
        File::new("function-role-policy.json", json(&policies::of_the_functions(experiment))),
    ])
}
