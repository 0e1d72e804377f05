//! `result.json`: the report for machines, with its version. Its meaning must not depend on any
//! other file.

use crate::report::{Report, VERSION};

/// Why a result cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ResultError {
    /// Not JSON, or not in this format.
    #[error("`result.json` is not understood: {0}")]
    Form(#[from] serde_json::Error),
    /// Written by another version.
    #[error("`result.json` has version {0}; this program reads version {VERSION}")]
    Version(u32),
}

#[derive(serde::Deserialize)]
struct Versioned {
    version: u32,
}

/// The report as JSON.
pub fn write(report: &Report) -> String {
    serde_json::to_string_pretty(report).unwrap_or_default() + "\n"
}

/// Reads it back.
///
/// # Errors
/// If it does not have this format and version.
pub fn read(text: &str) -> Result<Report, ResultError> {
    let Versioned { version } = serde_json::from_str(text)?;
    if version == VERSION { Ok(serde_json::from_str(text)?) } else { Err(ResultError::Version(version)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_reads_back() {
        let report = crate::judge::judge(&crate::sample::healthy());
        assert_eq!(read(&write(&report)).unwrap(), report);
    }

    #[test]
    fn another_version_is_refused() {
        assert!(matches!(read(r#"{"version":99}"#), Err(ResultError::Version(99))));
        assert!(matches!(read("{}"), Err(ResultError::Form(_))));
    }
}
