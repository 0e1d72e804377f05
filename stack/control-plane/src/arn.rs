//! The account and region of everything, and the ARNs.

/// The account that everything is in.
pub const ACCOUNT: &str = "123456789012";
/// The region that everything is in.
pub const REGION: &str = "eu-central-1";

/// The ARN of the function with this name.
pub fn arn_of(function: &str) -> String {
    format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:{function}")
}

/// The function's name, from a name, a name with a qualifier or an ARN, and the qualifier if there
/// is one.
pub(crate) fn names(named: &str) -> (String, Option<String>) {
    let rest = named.split_once(":function:").map_or(named, |(_, rest)| rest);
    match rest.split_once(':') {
        Some((name, qualifier)) => (name.to_owned(), Some(qualifier.to_owned())),
        None => (rest.to_owned(), None),
    }
}

/// The ARN of a version of a layer, from its name or ARN and its number.
pub(crate) fn layer_arn(name: &str, number: &str) -> String {
    let stem = if name.starts_with("arn:") { name.to_owned() } else { arn_of("").replace("function:", &format!("layer:{name}")) };
    format!("{stem}:{number}")
}
