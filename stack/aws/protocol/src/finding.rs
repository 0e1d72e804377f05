//! What `brownout doctor` finds, on this machine and in an account.

/// What was found of one thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// It is as it should be.
    Ok(String),
    /// It is not.
    Fail {
        /// What was found.
        what: String,
        /// What would do.
        cure: String,
    },
}

impl Finding {
    /// What an error says before its semicolon, and what it says would do; `cure` where it says nothing of that.
    pub fn of_error(error: &str, cure: &str) -> Self {
        let (what, cure) = error.split_once("; ").unwrap_or((error, cure));
        Self::Fail { what: what.to_owned(), cure: cure.to_owned() }
    }

    /// Whether it is one of what is wrong.
    pub const fn is_fail(&self) -> bool {
        matches!(self, Self::Fail { .. })
    }
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Ok(what) => write!(f, "ok    {what}"),
            Self::Fail { what, cure } => write!(f, "FAIL  {what}\n      {cure}"),
        }
    }
}
