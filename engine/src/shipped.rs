//! The experiments that come with brownout, and where an experiment is looked for.

use std::io::ErrorKind;
use std::path::Path;

use crate::nearest::there_are;

/// Name and text of each experiment that comes with brownout.
pub const SHIPPED: [(&str, &str); 21] = [
    ("slow-authorizer", include_str!("../../scenarios/experiments/slow-authorizer.toml")),
    ("failing-authorizer", include_str!("../../scenarios/experiments/failing-authorizer.toml")),
    ("decision-point-down", include_str!("../../scenarios/experiments/decision-point-down.toml")),
    ("lost-shadow-write", include_str!("../../scenarios/experiments/lost-shadow-write.toml")),
    ("lost-acknowledgement-mail", include_str!("../../scenarios/experiments/lost-acknowledgement-mail.toml")),
    ("slow-mail", include_str!("../../scenarios/experiments/slow-mail.toml")),
    ("failing-mail-service", include_str!("../../scenarios/experiments/failing-mail-service.toml")),
    ("kill-between-upload-and-send", include_str!("../../scenarios/experiments/kill-between-upload-and-send.toml")),
    ("expiry-race", include_str!("../../scenarios/experiments/expiry-race.toml")),
    ("disable-quota", include_str!("../../scenarios/experiments/disable-quota.toml")),
    ("poison-record", include_str!("../../scenarios/experiments/poison-record.toml")),
    ("sign-in-blocked", include_str!("../../scenarios/experiments/sign-in-blocked.toml")),
    ("blast-radius", include_str!("../../scenarios/experiments/blast-radius.toml")),
    ("kill-the-archiver", include_str!("../../scenarios/experiments/kill-the-archiver.toml")),
    ("throttled-metadata", include_str!("../../scenarios/experiments/throttled-metadata.toml")),
    ("close-fails", include_str!("../../scenarios/experiments/close-fails.toml")),
    ("slow-cache", include_str!("../../scenarios/experiments/slow-cache.toml")),
    ("audit-sizes", include_str!("../../scenarios/experiments/audit-sizes.toml")),
    ("everything", include_str!("../../scenarios/experiments/everything.toml")),
    ("quiet", include_str!("../../scenarios/experiments/quiet.toml")),
    ("published-form", include_str!("../../scenarios/experiments/published-form.toml")),
];

/// Why an experiment was not found.
#[derive(Debug, thiserror::Error)]
pub enum FindError {
    /// Neither a file nor a name.
    #[error("there is no experiment `{name}`: it is not a file, and of those that come with brownout {there}")]
    Unknown {
        /// What was asked for.
        name: String,
        /// What there is.
        there: String,
    },
    /// A path of which nothing is there.
    #[error("there is no file `{0}`; check the path")]
    NoFile(String),
    /// A folder.
    #[error("`{0}` is a folder; name an experiment's file in it")]
    Folder(String),
    /// Bytes that are no text.
    #[error("`{0}` is not UTF-8 text; an experiment is a TOML file")]
    NotText(String),
    /// A file that cannot be read.
    #[error("`{path}` cannot be read")]
    Unreadable {
        /// The file.
        path: String,
        /// Why.
        #[source]
        cause: std::io::Error,
    },
}

/// The name and the text of an experiment, given by path or by name.
///
/// # Errors
/// Where there is no such file and no such name, or the file cannot be read.
pub fn find(wanted: &str) -> Result<(String, String), FindError> {
    let path = Path::new(wanted);
    if path.is_file() {
        let text = std::fs::read_to_string(path).map_err(|cause| match cause.kind() {
            ErrorKind::InvalidData => FindError::NotText(wanted.to_owned()),
            _ => FindError::Unreadable { path: wanted.to_owned(), cause },
        })?;
        let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        return Ok((name, text));
    }
    match SHIPPED.iter().find(|(name, _)| *name == wanted) {
        Some((name, text)) => Ok(((*name).to_owned(), (*text).to_owned())),
        None if path.is_dir() => Err(FindError::Folder(wanted.to_owned())),
        None if wanted.contains('/') => Err(FindError::NoFile(wanted.to_owned())),
        None => Err(FindError::Unknown { name: wanted.to_owned(), there: there_are(wanted, SHIPPED.map(|(name, _)| name)) }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_an_experiment_is_named_with_what_would_do() {
        let folder = tempfile::tempdir().unwrap();
        let binary = folder.path().join("x.toml");
        std::fs::write(&binary, [0xff, 0xfe, 0x00]).unwrap();
        for (wanted, says) in [
            ("slow-authoriser", "did you mean `slow-authorizer`?"),
            ("nowhere/x.toml", "there is no file `nowhere/x.toml`"),
            (folder.path().to_str().unwrap(), "is a folder; name an experiment's file in it"),
            (binary.to_str().unwrap(), "is not UTF-8 text"),
        ] {
            let error = find(wanted).unwrap_err().to_string();
            assert!(error.contains(says) && error.contains(wanted), "{error}");
        }
    }

    #[test]
    fn every_experiment_of_the_folder_is_shipped_and_checks() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios/experiments");
        let mut files: Vec<_> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned())
            .collect();
        files.sort();
        let mut names: Vec<_> = SHIPPED.iter().map(|(name, _)| (*name).to_owned()).collect();
        names.sort();
        assert_eq!(files, names);
        for (name, text) in SHIPPED {
            crate::check(name, text).unwrap();
        }
    }
}
