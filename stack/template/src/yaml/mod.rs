//! The text of a template to a JSON value, with the position of each key. YAML and JSON, short and
//! long forms. No text makes it panic, run long or need much memory.

mod nodes;
mod scalars;
mod spots;
mod tags;

use serde_json::Value;

use crate::notices::{Notice, Position};
pub use spots::Spot;

/// The longest template, in bytes. Source: CloudFormation quotas, template body in an S3 object (1 MB).
pub const LARGEST: u64 = 1_000_000;

/// A document.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Document {
    /// Its value: short forms are long ones.
    pub value: Value,
    /// Where each key is.
    pub spots: Spot,
    /// What is read otherwise than it looks.
    pub notices: Vec<Notice>,
}

/// Why a text is no document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct TextError {
    /// What was found.
    pub what: String,
    /// Where.
    pub position: Option<Position>,
}

/// Reads one document.
///
/// # Errors
/// If it is neither YAML nor JSON, too large or nested too deep.
pub fn read(text: &str) -> Result<Document, TextError> {
    if text.len() as u64 > LARGEST {
        return Err(TextError { what: format!("found {} bytes, a template has at most {LARGEST}", text.len()), position: None });
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let document = nodes::read(text);
    if !text.trim_start().starts_with('{') {
        return document;
    }
    // JSON has escapes and tabs that YAML has not. Its positions are a YAML reader's, where that can
    // read it.
    match serde_json::from_str::<Value>(text) {
        Ok(value) => {
            let Document { spots, notices, .. } = document.unwrap_or_default();
            Ok(Document { value, spots, notices: notices.into_iter().filter(|notice| notice.what.contains("twice")).collect() })
        }
        Err(_) => document,
    }
}

#[cfg(test)]
mod tests;
