//! What an answer gives away of the inside of a function: a stack trace, or the error as Lambda has
//! it. The signs are those of the runtimes, so that a text about errors is not taken for one.

/// An answer is looked through as far as this.
const MOST: usize = 64 * 1024;

/// What is found in such an answer, all of it, and what it is.
const SIGNS: [(&[&str], &str); 7] = [
    (&["Traceback (most recent call last)"], "a stack trace of Python"),
    (&["    at ", "(node:internal"], "a stack trace of Node.js"),
    (&["    at ", "/var/task/"], "a stack trace of Node.js"),
    (&["\tat ", ".java:"], "a stack trace of Java"),
    (&["thread '", "panicked at"], "a panic of Rust"),
    (&["goroutine ", "[running]"], "a stack trace of Go"),
    (&["\"errorType\"", "\"stackTrace\""], "the error with its stack trace, as Lambda has it"),
];

/// What the body gives away, in a phrase.
pub(crate) fn of(body: &[u8]) -> Option<&'static str> {
    let text = String::from_utf8_lossy(body.get(..MOST).unwrap_or(body));
    let has = |sign: &str| text.contains(sign) || sign.starts_with('\t') && text.contains(&sign.replace('\t', "\\t"));
    SIGNS.iter().find(|(signs, _)| signs.iter().all(|sign| has(sign))).map(|(_, what)| *what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stack_trace_is_told_from_a_text_about_errors() {
        for (body, found) in [
            (r#"{"message":"Traceback (most recent call last):\n  File \"/var/task/a.py\""}"#, Some("a stack trace of Python")),
            (r#"{"errorMessage":"x","errorType":"E","stackTrace":["a"]}"#, Some("the error with its stack trace, as Lambda has it")),
            ("Error: x\n    at f (node:internal/x:1)", Some("a stack trace of Node.js")),
            (r#"{"error":"java.lang.X\n\tat a.B.c(B.java:1)"}"#, Some("a stack trace of Java")),
            (r#"{"message":"Internal server error"}"#, None),
            (r#"{"errorType":"NotFound","errorMessage":"no such order"}"#, None),
            ("we meet at noon", None),
            ("", None),
        ] {
            assert_eq!(of(body.as_bytes()), found, "{body}");
        }
    }
}
