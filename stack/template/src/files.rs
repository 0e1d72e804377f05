//! The files that a template may name. A template must not make this program read a file outside
//! the template's folder, neither by `..` nor by a symbolic link.

use std::path::{Component, Path, PathBuf};

use serde_json::Value;

/// Why a file of a template was not read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    /// It is at S3 or at another address.
    #[error("found `{0}`, only files in the template's folder are read")]
    Remote(String),
    /// It is outside the template's folder.
    #[error("found `{0}`, which is outside the template's folder")]
    Outside(String),
    /// It cannot be read.
    #[error("`{path}` cannot be read: {why}")]
    Unreadable {
        /// The path in the template.
        path: String,
        /// The cause.
        why: String,
    },
}

/// Reads files that a template names, such as `DefinitionUri` and `AWS::Include`.
pub trait Files {
    /// The text of a file, by its path relative to the template.
    ///
    /// # Errors
    /// If it is outside the template's folder, missing, too large or not text.
    fn read(&self, path: &str) -> Result<String, FileError>;

    /// Whether there is such a file or folder inside the template's folder.
    fn has(&self, _path: &str) -> bool {
        false
    }

    /// The text of the assets manifest that `cdk synth` writes beside the template.
    fn assets(&self) -> Option<String> {
        None
    }
}

/// No files: for a template that is only a text.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoFiles;

impl Files for NoFiles {
    fn read(&self, path: &str) -> Result<String, FileError> {
        Err(FileError::Unreadable { path: path.to_owned(), why: "this template has no folder".to_owned() })
    }
}

/// The files in a template's folder.
#[derive(Debug, Clone)]
pub struct Folder(PathBuf);

impl Folder {
    /// The folder that the template is in.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self(folder.into())
    }

    /// The real path of a file or folder that the template names; it is inside the template's
    /// folder even after every symbolic link.
    ///
    /// # Errors
    /// If it is outside, or does not exist.
    pub fn locate(&self, path: &str) -> Result<PathBuf, FileError> {
        let unreadable = |why: std::io::Error| FileError::Unreadable { path: path.to_owned(), why: why.to_string() };
        if path.contains("://") {
            return Err(FileError::Remote(path.to_owned()));
        }
        let is_inside = Path::new(path).components().try_fold(0_u32, |depth, component| match component {
            Component::Normal(_) => Some(depth + 1),
            Component::CurDir => Some(depth),
            Component::ParentDir => depth.checked_sub(1),
            Component::RootDir | Component::Prefix(_) => None,
        });
        if is_inside.is_none() {
            return Err(FileError::Outside(path.to_owned()));
        }
        let root = self.0.canonicalize().map_err(unreadable)?;
        let real = root.join(path).canonicalize().map_err(unreadable)?;
        if real.starts_with(&root) { Ok(real) } else { Err(FileError::Outside(path.to_owned())) }
    }
}

impl Files for Folder {
    fn read(&self, path: &str) -> Result<String, FileError> {
        let unreadable = |why: String| FileError::Unreadable { path: path.to_owned(), why };
        let real = self.locate(path)?;
        // A device or a pipe might never end.
        let details = real.metadata().map_err(|why| unreadable(why.to_string()))?;
        if !details.is_file() {
            return Err(unreadable("it is not a file".to_owned()));
        }
        if details.len() > crate::yaml::LARGEST {
            return Err(unreadable(format!("it has more than {} bytes", crate::yaml::LARGEST)));
        }
        std::fs::read_to_string(real).map_err(|why| unreadable(why.to_string()))
    }

    fn has(&self, path: &str) -> bool {
        self.locate(path).is_ok()
    }

    /// All manifests of the folder: a CDK app has one for each of its stacks.
    fn assets(&self) -> Option<String> {
        let names = std::fs::read_dir(&self.0).ok()?.flatten().filter_map(|entry| entry.file_name().into_string().ok());
        let manifests: Vec<_> = names.filter(|name| name.ends_with(".assets.json")).collect();
        // An asset's hash is that of its content, so it means the same in all of them.
        let texts = manifests.iter().filter_map(|name| serde_json::from_str::<Value>(&self.read(name).ok()?).ok());
        let files = texts.filter_map(|manifest| manifest.get("files")?.as_object().cloned());
        let all: serde_json::Map<String, Value> = files.flatten().collect();
        (!all.is_empty()).then(|| serde_json::json!({"files": all}).to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_file_outside_the_folder_is_read() {
        let outer = tempfile::tempdir().unwrap();
        let inner = outer.path().join("app");
        std::fs::create_dir_all(inner.join("sub")).unwrap();
        std::fs::write(outer.path().join("secret"), "secret").unwrap();
        std::fs::write(inner.join("sub/definition.json"), "{}").unwrap();
        std::os::unix::fs::symlink(outer.path().join("secret"), inner.join("link")).unwrap();
        std::os::unix::fs::symlink(outer.path(), inner.join("folder")).unwrap();
        std::os::unix::fs::symlink("sub/definition.json", inner.join("good")).unwrap();
        let folder = Folder::new(&inner);
        for path in ["sub/definition.json", "./sub/../sub/definition.json", "good"] {
            assert_eq!(folder.read(path).as_deref(), Ok("{}"), "{path}");
        }
        let secret = outer.path().join("secret");
        for path in ["../secret", "sub/../../secret", secret.to_str().unwrap(), "link", "folder/secret", "../app/good"] {
            assert_eq!(folder.read(path), Err(FileError::Outside(path.to_owned())), "{path}");
        }
        for path in ["s3://bucket/key", "https://example.org/x"] {
            assert_eq!(folder.read(path), Err(FileError::Remote(path.to_owned())), "{path}");
        }
        for path in ["missing", "sub"] {
            assert!(matches!(folder.read(path), Err(FileError::Unreadable { .. })), "{path}");
        }
    }
}
