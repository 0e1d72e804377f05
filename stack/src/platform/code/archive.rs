//! Unpacks a `.zip` file into a folder. No entry may leave the folder, by its name or through a
//! symbolic link, and an archive that unpacks to too much is refused with the entry's name.

use std::fs::{File, Permissions};
use std::io::{self, Read};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Component, Path, PathBuf};

use zip::ZipArchive;
use zip::result::ZipError;

/// More entries than any package has that fits into Lambda's limit of bytes.
const MOST: usize = 200_000;
/// The longest target of a symbolic link.
const LONGEST_LINK: u64 = 4096;

/// Why an archive is refused.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// Not an archive, or a damaged one.
    #[error("it is not a valid archive: {0}")]
    Damaged(#[from] ZipError),
    /// An entry would be written outside.
    #[error("its entry `{0}` leads outside of the archive")]
    Outside(String),
    /// An entry is neither a file, a folder nor a symbolic link.
    #[error("its entry `{0}` is neither a file, a folder nor a symbolic link")]
    Kind(String),
    /// It unpacks to too many bytes.
    #[error("with its entry `{entry}` it unpacks to more than {limit} bytes")]
    TooLarge {
        /// The entry that exceeds the limit.
        entry: String,
        /// The limit.
        limit: u64,
    },
    /// It has too many entries.
    #[error("it has {0} entries, and at most {MOST} are unpacked")]
    TooMany(usize),
    /// A file cannot be written.
    #[error("its entry `{entry}` cannot be written: {why}")]
    Write {
        /// The entry.
        entry: String,
        /// Why.
        why: io::Error,
    },
}

/// Unpacks `archive` into the empty folder `into`, at most `limit` bytes.
pub(super) fn unpack(archive: &Path, into: &Path, limit: u64) -> Result<(), ArchiveError> {
    let file = File::open(archive).map_err(ZipError::Io)?;
    let mut archive = ZipArchive::new(file)?;
    if archive.len() > MOST {
        return Err(ArchiveError::TooMany(archive.len()));
    }
    let mut left = limit;
    // Links last, so that no entry can be written through one.
    let mut links = Vec::new();
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index)?;
        let name = entry.name()?.into_owned();
        let relative = inside(&name).ok_or_else(|| ArchiveError::Outside(name.clone()))?;
        let path = into.join(&relative);
        let mode = entry.unix_mode();
        let write = |why| ArchiveError::Write { entry: name.clone(), why };
        if entry.is_dir() {
            std::fs::create_dir_all(&path).map_err(write)?;
        } else if entry.is_symlink() {
            let mut target = String::new();
            (&mut entry).take(LONGEST_LINK).read_to_string(&mut target).map_err(write)?;
            links.push((name, relative, target));
        } else if mode.is_none_or(|mode| matches!(mode & 0o170_000, 0 | 0o100_000)) {
            std::fs::create_dir_all(path.parent().unwrap_or(into)).map_err(write)?;
            let mut file = File::create(&path).map_err(write)?;
            let size = io::copy(&mut (&mut entry).take(left.saturating_add(1)), &mut file).map_err(write)?;
            left = left.checked_sub(size).ok_or_else(|| ArchiveError::TooLarge { entry: name.clone(), limit })?;
            if let Some(mode) = mode {
                // This process must be able to read and remove it.
                std::fs::set_permissions(&path, Permissions::from_mode((mode & 0o777) | 0o600)).map_err(write)?;
            }
        } else {
            return Err(ArchiveError::Kind(name));
        }
    }
    link(into, &links)
}

/// Makes the symbolic links, and then checks where each really leads.
fn link(into: &Path, links: &[(String, PathBuf, String)]) -> Result<(), ArchiveError> {
    for (name, relative, target) in links {
        let write = |why| ArchiveError::Write { entry: name.clone(), why };
        let path = into.join(relative);
        std::fs::create_dir_all(path.parent().unwrap_or(into)).map_err(write)?;
        let beside = relative.parent().unwrap_or(Path::new("")).join(target);
        if Path::new(target).is_absolute() || inside(&beside.to_string_lossy()).is_none() {
            return Err(ArchiveError::Outside(name.clone()));
        }
        symlink(target, &path).map_err(write)?;
    }
    let root = into.canonicalize().map_err(ZipError::Io)?;
    for (name, relative, _) in links {
        // A link to something that does not exist leads nowhere, not outside.
        if into.join(relative).canonicalize().is_ok_and(|real| !real.starts_with(&root)) {
            return Err(ArchiveError::Outside(name.clone()));
        }
    }
    Ok(())
}

/// The path without `.` and `..`; `None` if it is absolute or leads outside.
fn inside(name: &str) -> Option<PathBuf> {
    let mut path = PathBuf::new();
    // Archives made on Windows may separate by backslashes, which must not hide a way out either.
    if name.contains('\0') || name.split(['/', '\\']).any(|part| part == "..") && name.contains('\\') {
        return None;
    }
    for component in Path::new(name).components() {
        match component {
            Component::Normal(part) => path.push(part),
            Component::CurDir => {}
            Component::ParentDir => {
                if !path.pop() {
                    return None;
                }
            }
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(path)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    use super::*;

    fn unpacked(write: impl FnOnce(&mut ZipWriter<File>), limit: u64) -> (tempfile::TempDir, Result<(), ArchiveError>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("code.zip");
        let mut writer = ZipWriter::new(File::create(&path).unwrap());
        write(&mut writer);
        writer.finish().unwrap();
        let into = folder.path().join("into");
        std::fs::create_dir(&into).unwrap();
        let result = unpack(&path, &into, limit);
        (folder, result)
    }

    fn file(writer: &mut ZipWriter<File>, name: &str, mode: u32, text: &str) {
        writer.start_file(name, SimpleFileOptions::default().unix_permissions(mode)).unwrap();
        writer.write_all(text.as_bytes()).unwrap();
    }

    #[test]
    fn files_keep_their_folders_and_executable_bits() {
        let (folder, result) = unpacked(
            |writer| {
                file(writer, "bootstrap", 0o755, "#!/bin/sh\n");
                file(writer, "src/app.py", 0o644, "x = 1\n");
                writer.add_symlink("lib/link", "../src/app.py", SimpleFileOptions::default()).unwrap();
            },
            1000,
        );
        result.unwrap();
        let into = folder.path().join("into");
        let mode = |name: &str| std::fs::metadata(into.join(name)).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode("bootstrap"), mode("src/app.py")), (0o755, 0o644));
        assert_eq!(std::fs::read_to_string(into.join("lib/link")).unwrap(), "x = 1\n");
    }

    #[test]
    fn an_entry_that_leads_outside_is_refused_by_its_name() {
        let cases: [(&str, Option<&str>); 9] = [
            ("../out", None),
            ("a/../../out", None),
            ("/etc/out", None),
            ("a\\..\\..\\out", None),
            ("link", Some("../out")),
            ("link", Some("/etc/passwd")),
            ("a/link", Some("../../out")),
            ("a/b/link", Some("../../../into2")),
            ("deep", Some("a/b/up/..")),
        ];
        for (name, target) in cases {
            let (folder, result) = unpacked(
                |writer| {
                    file(writer, "a/b/inner", 0o644, "x");
                    if name == "deep" {
                        writer.add_symlink("a/b/up", "../..", SimpleFileOptions::default()).unwrap();
                    }
                    match target {
                        None => file(writer, name, 0o644, "x"),
                        Some(target) => writer.add_symlink(name, target, SimpleFileOptions::default()).unwrap(),
                    }
                },
                1000,
            );
            let error = result.unwrap_err();
            assert!(matches!(&error, ArchiveError::Outside(entry) if entry == name), "{name} -> {target:?}: {error}");
            assert!(!folder.path().join("out").exists(), "{name}");
        }
    }

    #[test]
    fn too_much_is_refused_with_the_entry_that_exceeds_the_limit() {
        let three = |writer: &mut ZipWriter<File>| {
            for name in ["a", "b", "c"] {
                file(writer, name, 0o644, &"x".repeat(400));
            }
        };
        assert!(unpacked(three, 1200).1.is_ok());
        let error = unpacked(three, 1199).1.unwrap_err();
        assert!(matches!(&error, ArchiveError::TooLarge { entry, limit: 1199 } if entry == "c"), "{error}");
    }

    #[test]
    fn what_is_no_archive_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("code.zip");
        std::fs::write(&path, "text").unwrap();
        assert!(matches!(unpack(&path, folder.path(), 1000), Err(ArchiveError::Damaged(_))));
    }
}
