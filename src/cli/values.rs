//! Values that several commands read.

use clap::builder::{OsStringValueParser, TypedValueParser};

/// Reports, folders and commands show an experiment's name, so it is text.
pub fn utf8() -> impl TypedValueParser<Value = String> {
    let refused = |name: std::ffi::OsString| format!("`{}` is not UTF-8; give the file another name", name.display());
    OsStringValueParser::new().try_map(move |name| name.into_string().map_err(refused))
}

/// A seed.
pub fn seed(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("write a whole number from 0 to {}", u64::MAX))
}
