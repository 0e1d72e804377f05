//! The account that everything on this machine belongs to, and the one pair of keys that it
//! accepts. The keys give access to this machine only.

/// The account.
pub const ACCOUNT: &str = "123456789012";

/// The region if no variable names one.
pub const REGION: &str = "us-east-1";

/// The access key that every process of the stack signs with.
pub const ACCESS_KEY: &str = "AKIALOCALBROWNOUT000";

/// Its secret.
pub const SECRET_KEY: &str = "local";

/// The ARN of the queue, topic or other resource `name` in `service`.
pub fn arn(service: &str, name: &str) -> String {
    format!("arn:aws:{service}:{REGION}:{ACCOUNT}:{name}")
}
