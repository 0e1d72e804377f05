//! What `brownout doctor` finds, on this machine and in an account.

/// The result of one check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// It passed.
    Ok(String),
    /// It failed.
    Fail {
        /// What was found.
        what: String,
        /// How to fix it.
        cure: String,
    },
}

impl Finding {
    /// Splits an error at its semicolon into what is wrong and the fix; `cure` is used if it names
    /// no fix.
    pub fn of_error(error: &str, cure: &str) -> Self {
        let (what, cure) = error.split_once("; ").unwrap_or((error, cure));
        Self::Fail { what: what.to_owned(), cure: cure.to_owned() }
    }

    /// Whether the check failed.
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
