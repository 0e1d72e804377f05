//! every change of `desired` belongs to one allowed request. Retries and lost acknowledgements
//! are the same request.

use super::register::Register;
use crate::invariants::Rule;

pub(crate) fn one_change_one_request() -> Rule<Register> {
    Rule::<Register>::new("A-2", "every change of desired belongs to one allowed request", |_, judged, _| judged.changes.clone())
}
