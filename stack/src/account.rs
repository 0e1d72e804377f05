//! The one pair of keys that this machine accepts. The keys give access to this machine only.

/// The access key that every process of the stack signs with.
pub const ACCESS_KEY: &str = "AKIALOCALBROWNOUT000";

/// Its secret.
pub const SECRET_KEY: &str = "local";
