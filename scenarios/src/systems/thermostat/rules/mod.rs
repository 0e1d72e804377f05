//! What must always hold in this system, one file per rule. The rules are pure: they receive what
//! happened and report what was wrong.

pub(crate) mod a1_never_opens;
pub(crate) mod a2_one_change_one_request;
pub(crate) mod a3_acknowledged_is_desired;
pub(crate) mod a4_agrees_when_quiet;
pub(crate) mod a5_outage_is_no_denial;
pub(crate) mod a6_no_token_no_answer;
pub(crate) mod a7_device_goes_on;
pub(crate) mod register;

use super::policies;
use crate::invariants::cedar::{OracleError, ThermostatOracle};
use crate::invariants::{Invariant, Judge};

/// The rules for this many homes, in the order of their ids.
///
/// # Errors
/// If the policies cannot be read: without them nothing can be judged.
pub(crate) fn all(homes: u32) -> Result<Vec<Box<dyn Invariant>>, OracleError> {
    let register = register::Register::new(ThermostatOracle::new(homes, &policies(homes))?);
    let rules = vec![
        a1_never_opens::never_opens(),
        a2_one_change_one_request::one_change_one_request(),
        a3_acknowledged_is_desired::acknowledged_is_desired(),
        a4_agrees_when_quiet::agrees_when_quiet(),
        a5_outage_is_no_denial::outage_is_no_denial(),
        a6_no_token_no_answer::no_token_no_answer(),
        a7_device_goes_on::device_goes_on(),
    ];
    Ok(vec![Box::new(Judge::new(register, rules))])
}
