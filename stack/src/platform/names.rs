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
    faults::uuid(random(), random())
}

/// The time since 1970.
pub(crate) fn now() -> std::time::Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// A trace header with a root of its own.
pub(crate) fn trace() -> String {
    let root = format!("Root=1-{:08x}-{:016x}{:08x}", now().as_secs(), random(), random() >> 32);
    completed(&root)
}

/// The caller's trace header if it has a root, with a parent, as Lambda's always have one; else a
/// new one. `Sampled` and every other field, such as `Lineage`, keep their values.
pub(crate) fn trace_of(caller: Option<&str>) -> String {
    match caller.filter(|header| faults::trace_root(header).is_some()) {
        Some(header) if has(header, "Parent") && has(header, "Sampled") => header.to_owned(),
        Some(header) => completed(header),
        None => trace(),
    }
}

fn fields(header: &str) -> impl Iterator<Item = (&str, &str)> {
    header.split(';').filter_map(|field| field.trim().split_once('='))
}

fn has(header: &str, name: &str) -> bool {
    fields(header).any(|(field, value)| field == name && !value.is_empty())
}

/// The header in Lambda's order: root, parent, whether it is sampled, and then the rest.
fn completed(header: &str) -> String {
    let field = |name: &str| fields(header).find(|(field, value)| *field == name && !value.is_empty()).map(|(_, value)| value.to_owned());
    let parent = field("Parent").unwrap_or_else(|| format!("{:016x}", random()));
    let sampled = field("Sampled").unwrap_or_else(|| "1".to_owned());
    let mut text = format!("Root={};Parent={parent};Sampled={sampled}", field("Root").unwrap_or_default());
    for (name, value) in fields(header).filter(|(name, _)| !["Root", "Parent", "Sampled"].contains(name)) {
        text.push_str(&format!(";{name}={value}"));
    }
    text
}

/// A function's name and the alias or version, from a name, a partial ARN or an ARN. Source: Lambda
/// API reference, Invoke, `FunctionName`.
pub(crate) fn reference(text: &str) -> (&str, Option<&str>) {
    let rest = text.split_once(":function:").map_or(text, |(_, rest)| rest);
    let rest = rest.strip_prefix("function:").unwrap_or(rest);
    rest.split_once(':').map_or((rest, None), |(name, qualifier)| (name, Some(qualifier)))
}

/// Such as `2026/11/23/[$LATEST]0123456789abcdef0123456789abcdef`.
pub(crate) fn log_stream(version: &str) -> String {
    format!("{}/[{version}]{:016x}{:016x}", dates::day_folder(SystemTime::now()), random(), random())
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
    fn a_function_may_be_named_with_its_alias_or_version() {
        let arn = "arn:aws:lambda:us-east-1:123456789012:function:f";
        for (text, qualifier) in [
            ("f".to_owned(), None),
            ("f:live".to_owned(), Some("live")),
            ("123456789012:function:f:$LATEST".to_owned(), Some("$LATEST")),
            (arn.to_owned(), None),
            (format!("{arn}:1"), Some("1")),
        ] {
            assert_eq!(reference(&text), ("f", qualifier), "{text}");
        }
    }

    #[test]
    fn the_callers_trace_root_is_kept() {
        let root = "1-5759e988-bd862e3fe1be46a994272793";
        let parent = "Parent=53995c3f42cd8ad8";
        for (header, expected) in [
            (format!("Root={root}"), format!("Root={root};Parent=<new>;Sampled=1")),
            (format!("Root={root};Sampled=0"), format!("Root={root};Parent=<new>;Sampled=0")),
            (format!("Root={root};{parent};Sampled=0"), format!("Root={root};{parent};Sampled=0")),
            (format!("Root={root};Lineage=a87bd80c:0"), format!("Root={root};Parent=<new>;Sampled=1;Lineage=a87bd80c:0")),
            (format!("Sampled=0;Lineage=1:a:0;Root={root}"), format!("Root={root};Parent=<new>;Sampled=0;Lineage=1:a:0")),
            (format!("Root={root};{parent};Sampled=0;Lineage=1:a:0"), format!("Root={root};{parent};Sampled=0;Lineage=1:a:0")),
            (format!("Self=1-x;Root={root};{parent}"), format!("Root={root};{parent};Sampled=1;Self=1-x")),
        ] {
            let mut kept = trace_of(Some(&header));
            if !header.contains("Parent=") {
                let at = kept.find("Parent=").unwrap() + "Parent=".len();
                assert!(kept[at..at + 16].bytes().all(|byte| byte.is_ascii_hexdigit()), "{kept}");
                kept.replace_range(at..at + 16, "<new>");
            }
            assert_eq!(kept, expected, "{header}");
        }
        for header in [None, Some(""), Some("Self=1")] {
            let made = trace_of(header);
            assert_eq!(faults::trace_root(&made).map(str::len), Some(35), "{made}");
        }
    }
}
