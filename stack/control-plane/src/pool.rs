//! A user pool of Cognito.

/// A user pool.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UserPool {
    /// Its name.
    pub name: String,
    /// The ids of its app clients.
    pub clients: Vec<String>,
}
