//! What must always hold of this system, one file a rule. Pure: they are told what happened and say what was wrong with it.

pub(crate) mod a1_never_opens;
pub(crate) mod a2_one_change_one_request;
pub(crate) mod a3_acknowledged_is_desired;
pub(crate) mod a4_agrees_when_quiet;
pub(crate) mod a5_outage_is_no_denial;
pub(crate) mod a6_no_token_no_answer;
pub(crate) mod a7_device_goes_on;
pub(crate) mod register;

use std::sync::Arc;

use super::policies;
use crate::invariants::Invariant;
use crate::invariants::cedar::{OracleError, ThermostatOracle};

/// The rules for so many homes, in the order of their ids.
///
/// # Errors
/// Where the policies cannot be read: without them nothing can be called right.
pub(crate) fn all(homes: u32) -> Result<Vec<Box<dyn Invariant>>, OracleError> {
    let oracle = Arc::new(ThermostatOracle::new(homes, &policies(homes))?);
    Ok(vec![
        Box::new(a1_never_opens::NeverOpens::new(Arc::clone(&oracle))),
        Box::new(a2_one_change_one_request::OneChangeOneRequest::new(Arc::clone(&oracle))),
        Box::new(a3_acknowledged_is_desired::AcknowledgedIsDesired::new(Arc::clone(&oracle))),
        Box::new(a4_agrees_when_quiet::AgreesWhenQuiet::new(Arc::clone(&oracle))),
        Box::new(a5_outage_is_no_denial::OutageIsNoDenial::new(oracle)),
        Box::new(a6_no_token_no_answer::NoTokenNoAnswer),
        Box::new(a7_device_goes_on::DeviceGoesOn::default()),
    ])
}
