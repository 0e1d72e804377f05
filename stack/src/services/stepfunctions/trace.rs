//! The trace roots of an execution's tasks, by which faults recognise them. Each try of a state has
//! its own root, derived from its execution's. So a task that was struck may get another decision
//! when it is retried, and the same seed still strikes the same tries in every run.

use aws_lc_rs::digest::{SHA256, digest};

use crate::services::wire::hexadecimal;

/// The hex digits of a root that differ.
const OWN: usize = 24;

/// The root of try `number` of a state, from 1. The first try has its execution's root, which is
/// the root of the request that started it.
pub fn root_of_try(root: &str, state: &str, number: u32) -> String {
    if number <= 1 {
        return root.to_owned();
    }
    let time = root.strip_prefix("1-").and_then(|rest| rest.split_once('-')).map(|(time, _)| time);
    let time = time.filter(|time| time.len() == 8 && time.bytes().all(|byte| byte.is_ascii_hexdigit())).unwrap_or("00000000");
    format!("1-{time}-{}", own(&format!("{root}/{state}/{number}")))
}

/// The root of an execution that was started without a trace, derived from its name.
pub fn root_of_execution(machine: &str, name: &str) -> String {
    format!("1-00000000-{}", own(&format!("{machine}/{name}")))
}

fn own(text: &str) -> String {
    let mut own = hexadecimal(digest(&SHA256, text.as_bytes()).as_ref());
    own.truncate(OWN);
    own
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const ROOT: &str = "1-5759e988-bd862e3fe1be46a994272793";

    #[test]
    fn each_try_has_its_own_root_and_the_first_has_its_executions() {
        assert_eq!(root_of_try(ROOT, "Archive", 1), ROOT);
        let all: BTreeSet<String> =
            ["Archive", "Close"].iter().flat_map(|state| (1..=31).map(move |n| root_of_try(ROOT, state, n))).collect();
        assert_eq!(all.len(), 61);
        for root in &all {
            let header = format!("Root={root};Parent=53995c3f42cd8ad8");
            assert_eq!((faults::trace_root(&header), root.len(), root.starts_with("1-5759e988-")), (Some(root.as_str()), 35, true));
        }
        assert_eq!(root_of_try(ROOT, "Close", 7), root_of_try(ROOT, "Close", 7));
        assert!(root_of_try("other", "Close", 2).starts_with("1-00000000-"));
    }

    #[test]
    fn without_a_trace_the_name_makes_the_root() {
        let root = root_of_execution("audit-record", "r-1");
        assert_eq!((root.len(), root_of_execution("audit-record", "r-1") == root), (35, true));
        assert_ne!(root_of_execution("audit-record", "r-2"), root);
    }
}
