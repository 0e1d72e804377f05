//! Finds the template of a folder, as `sam`, `cdk` and `serverless` leave it there.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// What SAM names its source. Source: AWS SAM CLI, `--template-file`.
const SOURCES: [&str; 3] = ["template.yaml", "template.yml", "template.json"];

/// What `sam build` writes.
const BUILT: &str = ".aws-sam/build/template.yaml";

/// Where `cdk synth` writes.
const CDK: &str = "cdk.out";

/// What `serverless package` writes.
const SERVERLESS: &str = ".serverless/cloudformation-template-update-stack.json";

/// The endings of a template's file.
const ENDINGS: [&str; 4] = ["yaml", "yml", "json", "template"];

/// A template's file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The file.
    pub file: PathBuf,
    /// The folder that paths in it are relative to.
    pub folder: PathBuf,
    /// Who wrote it.
    pub writer: Writer,
}

/// Who wrote a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Writer {
    /// A person.
    Source,
    /// `sam build`: code is where its `CodeUri` says, with its dependencies.
    SamBuild,
    /// `cdk synth`: code is where the assets manifest beside it says.
    Cdk,
    /// `serverless package`: code is in a zip beside it.
    Serverless,
}

impl Found {
    /// The template's text.
    ///
    /// # Errors
    /// If it is larger than a template may be, not a file, or not UTF-8.
    pub fn read(&self) -> Result<String, FindError> {
        let unreadable = |why| FindError::Unreadable { path: self.file.clone(), why };
        let details = self.file.metadata().map_err(unreadable)?;
        // A device or a pipe might never end.
        if !details.is_file() {
            return Err(FindError::Ending(self.file.clone()));
        }
        if details.len() > crate::yaml::LARGEST {
            return Err(FindError::Large(self.file.clone()));
        }
        std::fs::read_to_string(&self.file).map_err(unreadable)
    }
}

/// Why no template was found.
#[derive(Debug, thiserror::Error)]
pub enum FindError {
    /// The path does not exist or cannot be read.
    #[error("`{}` cannot be read", path.display())]
    Unreadable {
        /// The path.
        path: PathBuf,
        /// The cause.
        #[source]
        why: std::io::Error,
    },
    /// The file is no template by its name.
    #[error("`{}` is no template; its name must end in .yaml, .yml, .json or .template", .0.display())]
    Ending(PathBuf),
    /// The file is larger than CloudFormation takes.
    #[error("`{}` has more than {} bytes, which a template has at most", .0.display(), crate::yaml::LARGEST)]
    Large(PathBuf),
    /// A folder without one.
    #[error(
        "no template in `{}`; it may be template.yaml, template.yml, template.json, .aws-sam/build/template.yaml, cdk.out/*.template.json or {SERVERLESS}",
        .0.display()
    )]
    Missing(PathBuf),
    /// An app of the CDK with several stacks.
    #[error("several templates in `{}`, name one: {}", folder.display(), names.join(", "))]
    Several {
        /// The folder.
        folder: PathBuf,
        /// The files in it.
        names: Vec<String>,
    },
}

/// The template of a folder, or the file itself. What `sam build` wrote is taken where it is newer
/// than its source.
///
/// # Errors
/// If there is none, or more than one of the CDK.
pub fn find(path: &Path) -> Result<Found, FindError> {
    let unreadable = |why| FindError::Unreadable { path: path.to_owned(), why };
    if path.metadata().map_err(unreadable)?.is_file() {
        let ending = path.extension().and_then(|ending| ending.to_str());
        return match ending {
            Some(ending) if ENDINGS.contains(&ending) => Ok(found(path.to_owned(), writer(path))),
            _ => Err(FindError::Ending(path.to_owned())),
        };
    }
    let built = path.join(BUILT);
    let source = SOURCES.iter().map(|name| path.join(name)).find(|file| file.is_file());
    if let Some(source) = source {
        let is_newer = matches!((changed(&built), changed(&source)), (Some(built), Some(source)) if built >= source);
        return Ok(if is_newer { found(built, Writer::SamBuild) } else { found(source, Writer::Source) });
    }
    if built.is_file() {
        return Ok(found(built, Writer::SamBuild));
    }
    if let Some(found) = of_cdk(path)? {
        return Ok(found);
    }
    let serverless = path.join(SERVERLESS);
    if serverless.is_file() { Ok(found(serverless, Writer::Serverless)) } else { Err(FindError::Missing(path.to_owned())) }
}

fn found(file: PathBuf, writer: Writer) -> Found {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    Found { folder: folder.to_owned(), file, writer }
}

/// Whether a path is meant as a template: a folder, or a file with the ending of one.
pub fn is_template(path: &Path) -> bool {
    let ending = path.extension().and_then(|ending| ending.to_str());
    ending.is_some_and(|ending| ENDINGS.contains(&ending)) || path.is_dir()
}

/// Who wrote a file, from where it is.
fn writer(file: &Path) -> Writer {
    if file.ends_with(BUILT) {
        Writer::SamBuild
    } else if file.ends_with(SERVERLESS) {
        Writer::Serverless
    } else if file.file_name().is_some_and(|name| name.to_string_lossy().ends_with(".template.json")) {
        Writer::Cdk
    } else {
        Writer::Source
    }
}

fn changed(file: &Path) -> Option<SystemTime> {
    file.metadata().ok()?.modified().ok()
}

/// The only stack in a folder of the CDK.
fn of_cdk(path: &Path) -> Result<Option<Found>, FindError> {
    let folder = path.join(CDK);
    let Ok(entries) = folder.read_dir() else { return Ok(None) };
    let names = entries.filter_map(Result::ok).filter_map(|entry| entry.file_name().into_string().ok());
    let mut names: Vec<String> = names.filter(|name| name.ends_with(".template.json")).collect();
    names.sort();
    match names.as_slice() {
        [] => Ok(None),
        [one] => Ok(Some(found(folder.join(one), Writer::Cdk))),
        _ => Err(FindError::Several { folder, names }),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn write(folder: &Path, name: &str, age: u64) {
        let file = folder.join(name);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, "{}").unwrap();
        let time = SystemTime::now() - Duration::from_secs(age);
        std::fs::File::options().write(true).open(&file).unwrap().set_modified(time).unwrap();
    }

    #[test]
    fn the_template_of_a_folder_is_found_where_each_tool_leaves_it() {
        let (source, built, serverless) = ("template.yaml", BUILT, SERVERLESS);
        for (files, expected, writer) in [
            (vec![(source, 10)], source, Writer::Source),
            (vec![("template.yml", 10)], "template.yml", Writer::Source),
            (vec![("template.json", 10)], "template.json", Writer::Source),
            (vec![(source, 10), (built, 5)], built, Writer::SamBuild),
            (vec![(source, 5), (built, 10)], source, Writer::Source),
            (vec![(built, 10)], built, Writer::SamBuild),
            (vec![("cdk.out/App.template.json", 1), ("cdk.out/App.assets.json", 1)], "cdk.out/App.template.json", Writer::Cdk),
            (vec![(serverless, 1)], serverless, Writer::Serverless),
        ] {
            let folder = tempfile::tempdir().unwrap();
            files.iter().for_each(|(name, age)| write(folder.path(), name, *age));
            let file = folder.path().join(expected);
            let parent = file.parent().unwrap().to_owned();
            let expected = Found { file: file.clone(), folder: parent, writer };
            assert_eq!(find(folder.path()).unwrap(), expected, "{files:?}");
            assert_eq!(find(&file).unwrap(), expected, "{files:?}");
        }
    }

    #[test]
    fn what_is_too_large_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("template.yaml");
        std::fs::write(&file, "x".repeat(1_000_001)).unwrap();
        assert!(matches!(find(&file).unwrap().read(), Err(FindError::Large(_))));
        std::fs::write(&file, [0xff, 0xfe]).unwrap();
        assert!(matches!(find(&file).unwrap().read(), Err(FindError::Unreadable { .. })));
    }

    #[test]
    fn what_is_no_template_or_several_is_told() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(find(folder.path()), Err(FindError::Missing(_))));
        assert!(matches!(find(&folder.path().join("none.yaml")), Err(FindError::Unreadable { .. })));
        write(folder.path(), "notes.txt", 0);
        assert!(matches!(find(&folder.path().join("notes.txt")), Err(FindError::Ending(_))));
        write(folder.path(), "cdk.out/A.template.json", 0);
        write(folder.path(), "cdk.out/B.template.json", 0);
        let error = find(folder.path()).unwrap_err().to_string();
        assert!(error.contains("A.template.json, B.template.json"), "{error}");
    }
}
