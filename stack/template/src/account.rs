//! The account that everything on this machine belongs to, and names in it.

/// The account.
pub const ACCOUNT: &str = "123456789012";

/// The region if no variable names one.
pub const REGION: &str = "us-east-1";

/// The ARN of the queue, topic or other resource `name` in `service`.
pub fn arn(service: &str, name: &str) -> String {
    format!("arn:aws:{service}:{REGION}:{ACCOUNT}:{name}")
}

/// The last part of the ARN of every table's stream, which is its time of creation at AWS.
pub const STREAM_LABEL: &str = "2024-01-01T00:00:00.000";

/// The ARN of a secret: its name with six characters, which are random at AWS and here always the
/// same for a name.
pub fn secret_arn(name: &str) -> String {
    arn("secretsmanager", &format!("secret:{}", secret_id(name)))
}

/// The last part of a secret's ARN.
pub(crate) fn secret_id(name: &str) -> String {
    // FNV-1a.
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    let suffix: String = (0..6).filter_map(|n| char::from_digit(u32::try_from((hash >> (8 * n)) % 36).ok()?, 36)).collect();
    format!("{name}-{suffix}")
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

    #[test]
    fn a_secrets_arn_is_always_the_same() {
        let arn = secret_arn("app/db");
        assert!(arn.starts_with("arn:aws:secretsmanager:us-east-1:123456789012:secret:app/db-") && arn.len() == 66, "{arn}");
        assert_eq!(arn, secret_arn("app/db"));
        assert_ne!(arn, secret_arn("app/dc").replace("dc", "db"));
    }
}
