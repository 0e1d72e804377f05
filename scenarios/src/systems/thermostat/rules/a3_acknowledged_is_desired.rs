//! from 5 s after its acknowledgement, a Set or a later one is in `desired`.

use super::register::Register;
use crate::invariants::Rule;

pub(crate) fn acknowledged_is_desired() -> Rule<Register> {
    Rule::<Register>::new("A-3", "an acknowledged Set, or a later one, is in desired within 5 s", |_, judged, _| judged.sets.clone())
}
