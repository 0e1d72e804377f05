//! Generates the names that Lambda and the gateway generate: request ids, trace ids, log streams,
//! times. It reads the clock and nothing else.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::{SystemTime, UNIX_EPOCH};

pub(crate) use template::account::{ACCOUNT, REGION, function_name};

/// 64 random bits: std takes its hash keys from the system once per thread and changes them with
/// every call. Not for secrets.
pub(crate) fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// A UUID of version 4.
pub(crate) fn uuid() -> String {
    let (a, b) = (random(), random());
    format!(
        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        a >> 32,
        (a >> 16) & 0xffff,
        a & 0xfff,
        0x8000 | ((b >> 48) & 0x3fff),
        b & 0xffff_ffff_ffff
    )
}

/// The time since 1970.
pub(crate) fn now() -> std::time::Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// A trace header with a root of its own.
pub(crate) fn trace() -> String {
    let root = format!("Root=1-{:08x}-{:016x}{:08x}", now().as_secs(), random(), random() >> 32);
    with_parent(&root)
}

/// The caller's trace header if it has a root, with a parent, as Lambda's always have one; else a
/// new one.
pub(crate) fn trace_of(caller: Option<&str>) -> String {
    match caller.filter(|header| faults::trace_root(header).is_some()) {
        Some(header) if header.contains("Parent=") => header.to_owned(),
        Some(header) => with_parent(header),
        None => trace(),
    }
}

fn with_parent(header: &str) -> String {
    let sampled = if header.contains("Sampled=") { "" } else { ";Sampled=1" };
    format!("{header};Parent={:016x}{sampled}", random())
}

/// Such as `2026/11/23/[$LATEST]0123456789abcdef0123456789abcdef`.
pub(crate) fn log_stream() -> String {
    format!("{}/[$LATEST]{:016x}{:016x}", dates::day_folder(SystemTime::now()), random(), random())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_their_form_and_do_not_repeat() {
        let ids: std::collections::HashSet<String> = (0..1000).map(|_| uuid()).collect();
        assert_eq!(ids.len(), 1000);
        assert!(ids.iter().all(|id| id.len() == 36 && id.as_bytes()[14] == b'4'), "{ids:?}");
    }

    #[test]
    fn the_callers_trace_root_is_kept() {
        let root = "1-5759e988-bd862e3fe1be46a994272793";
        for header in [format!("Root={root}"), format!("Root={root};Parent=53995c3f42cd8ad8;Sampled=0")] {
            let kept = trace_of(Some(&header));
            assert!(kept.starts_with(&header) && kept.contains("Parent=") && kept.contains("Sampled="), "{kept}");
        }
        for header in [None, Some(""), Some("Self=1")] {
            let made = trace_of(header);
            assert_eq!(faults::trace_root(&made).map(str::len), Some(35), "{made}");
        }
    }
}
