//! `brownout schema`: the JSON Schema of experiment files, generated from the types that parse
//! them.

use std::error::Error;

use engine::file::File;

/// Prints the schema.
pub fn schema() -> Result<u8, Box<dyn Error>> {
    println!("{}", text()?);
    Ok(0)
}

fn text() -> Result<String, serde_json::Error> {
    serde_json::to_string_pretty(&schemars::schema_for!(File))
}

#[cfg(test)]
mod tests {
    /// `BROWNOUT_WRITE=1` rewrites it.
    #[test]
    fn the_schema_in_the_repository_matches_the_code() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/brownout.schema.json");
        let made = super::text().unwrap() + "\n";
        if std::env::var_os("BROWNOUT_WRITE").is_some() {
            std::fs::write(path, &made).unwrap();
        }
        let kept = std::fs::read_to_string(path).unwrap_or_default();
        assert!(kept == made, "brownout.schema.json is not what `brownout schema` prints; write it anew");
    }
}
