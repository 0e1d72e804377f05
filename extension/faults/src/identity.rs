//! Who an invocation is, in a form that the generator and the extension both know.

/// What a roll hangs on: the root of the trace id, else the message id or the request id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity<'a>(pub &'a str);

/// The root of an X-Ray trace header (`Root=1-5759e988-bd862e3fe1be46a994272793;Parent=...;Sampled=1`), without `Root=`.
/// Source: AWS X-Ray developer guide, "Tracing header"; Lambda sends it as `Lambda-Runtime-Trace-Id`.
pub fn trace_root(header: &str) -> Option<&str> {
    header.split(';').find_map(|part| part.trim().strip_prefix("Root=")).filter(|root| !root.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_is_found_wherever_it_stands() {
        for (header, root) in [
            ("Root=1-5759e988-bd862e3fe1be46a994272793", Some("1-5759e988-bd862e3fe1be46a994272793")),
            ("Parent=53995c3f42cd8ad8; Root=1-a-b;Sampled=1", Some("1-a-b")),
            ("Parent=53995c3f42cd8ad8", None),
            ("Root=", None),
            ("", None),
        ] {
            assert_eq!(trace_root(header), root, "{header}");
        }
    }
}
