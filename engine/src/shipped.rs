//! The experiments that come with brownout, and the lookup of an experiment.

use std::io::ErrorKind;
use std::path::Path;

use scenarios::systems::System;

use crate::nearest::there_are;

/// Name and text of each experiment on several systems.
const ON_SEVERAL: [(&str, &str); 4] = [
    ("slow-authorizer", include_str!("../../scenarios/experiments/slow-authorizer.toml")),
    ("everything", include_str!("../../scenarios/experiments/everything.toml")),
    ("quiet", include_str!("../../scenarios/experiments/quiet.toml")),
    ("published-form", include_str!("../../scenarios/experiments/published-form.toml")),
];

/// Name and text of each experiment that comes with brownout.
pub fn all() -> impl Iterator<Item = (&'static str, &'static str)> {
    ON_SEVERAL.into_iter().chain(System::ALL.into_iter().flat_map(|system| system.experiments().iter().copied()))
}

/// Why an experiment was not found.
#[derive(Debug, thiserror::Error)]
pub enum FindError {
    /// Neither a file nor a name.
    #[error("there is no experiment `{name}`, and no such file; {there}")]
    Unknown {
        /// The name that was given.
        name: String,
        /// What it should have been.
        there: String,
    },
    /// A path that does not exist.
    #[error("there is no file `{0}`; check the path")]
    NoFile(String),
    /// A folder.
    #[error("`{0}` is a folder; name an experiment's file in it")]
    Folder(String),
    /// A file that is not UTF-8.
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
/// If there is no such file and no such name, or the file cannot be read.
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
    match all().find(|(name, _)| *name == wanted) {
        Some((name, text)) => Ok((name.to_owned(), text.to_owned())),
        None if path.is_dir() => Err(FindError::Folder(wanted.to_owned())),
        None if wanted.contains('/') => Err(FindError::NoFile(wanted.to_owned())),
        None => {
            let there = there_are(wanted, all().map(|(name, _)| name), "`brownout list experiments` lists them");
            Err(FindError::Unknown { name: wanted.to_owned(), there })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_is_not_an_experiment_is_named_with_a_fix() {
        let folder = tempfile::tempdir().unwrap();
        let binary = folder.path().join("x.toml");
        std::fs::write(&binary, [0xff, 0xfe, 0x00]).unwrap();
        for (wanted, says) in [
            ("slow-authoriser", "and no such file; did you mean `slow-authorizer`?"),
            ("weather", "; `brownout list experiments` lists them"),
            ("nowhere/x.toml", "there is no file `nowhere/x.toml`"),
            (folder.path().to_str().unwrap(), "is a folder; name an experiment's file in it"),
            (binary.to_str().unwrap(), "is not UTF-8 text"),
        ] {
            let error = find(wanted).unwrap_err().to_string();
            assert!(error.contains(says) && error.contains(wanted), "{error}");
        }
    }

    /// The names of the files in a folder of `scenarios`, without their extension; empty if there
    /// is no such folder.
    fn files(folder: &str) -> Vec<String> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios").join(folder);
        let entries = std::fs::read_dir(folder).into_iter().flatten();
        entries.map(|entry| entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned()).collect()
    }

    fn names(experiments: &[(&str, &str)]) -> Vec<String> {
        experiments.iter().map(|(name, _)| (*name).to_owned()).collect()
    }

    #[test]
    fn every_experiment_of_a_folder_is_shipped_and_checks() {
        let folder = |system: System| format!("src/systems/{}/experiments", system.name().replace('-', "_"));
        let each = System::ALL.map(|system| (files(&folder(system)), names(system.experiments())));
        for (mut files, mut names) in each.into_iter().chain([(files("experiments"), names(&ON_SEVERAL))]) {
            files.sort();
            names.sort();
            assert_eq!(files, names);
        }
        for (name, text) in all() {
            crate::check(name, text).unwrap();
        }
    }

    #[test]
    fn the_experiments_of_the_examples_check() {
        for name in files("../examples/own-fault").into_iter().filter(|name| name != "README") {
            let (_, text) = find(&format!("{}/../examples/own-fault/{name}.toml", env!("CARGO_MANIFEST_DIR"))).unwrap();
            crate::check(&name, &text).unwrap();
        }
    }

    #[test]
    fn an_experiment_on_one_system_is_in_its_folder() {
        for (name, text) in all() {
            let systems = crate::check(name, text).unwrap().systems;
            let home = System::ALL.into_iter().find(|system| system.experiments().iter().any(|(known, _)| *known == name));
            assert_eq!(home, systems.first().copied().filter(|_| systems.len() == 1), "{name}");
        }
    }
}
