//! The account that everything on this machine belongs to, and names in it.

/// The account.
pub const ACCOUNT: &str = "123456789012";

/// The region if no variable names one.
pub const REGION: &str = "us-east-1";

/// The ARN of the queue, topic or other resource `name` in `service`.
pub fn arn(service: &str, name: &str) -> String {
    format!("arn:aws:{service}:{REGION}:{ACCOUNT}:{name}")
}

/// A function's name from a name, a partial ARN or an ARN, with or without a qualifier.
pub fn function_name(text: &str) -> &str {
    let name = text.split_once(":function:").map_or(text, |(_, name)| name);
    let name = name.strip_prefix("function:").unwrap_or(name);
    name.split(':').next().unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_is_found_by_name_and_by_arn() {
        for text in ["f", "function:f", "arn:aws:lambda:us-east-1:123456789012:function:f", "123456789012:function:f:$LATEST", "f:1"] {
            assert_eq!(function_name(text), "f", "{text}");
        }
    }
}
