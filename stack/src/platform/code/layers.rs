//! Layers, stacked into one folder: a later one covers an earlier one. It follows no symbolic link.

use std::io;
use std::path::Path;

/// Copies `layer` over `into`. A file covers what has its name, and folders are joined, as when
/// Lambda unpacks layers in order. Source: Lambda, "Managing Lambda dependencies with layers".
pub(super) fn cover(layer: &Path, into: &Path) -> io::Result<()> {
    std::fs::create_dir_all(into)?;
    for entry in std::fs::read_dir(layer)? {
        let entry = entry?;
        let (from, to, kind) = (entry.path(), into.join(entry.file_name()), entry.file_type()?);
        let there = std::fs::symlink_metadata(&to).ok().map(|there| there.file_type());
        if kind.is_dir() {
            if there.is_some_and(|there| !there.is_dir()) {
                std::fs::remove_file(&to)?;
            }
            cover(&from, &to)?;
            continue;
        }
        match there {
            Some(there) if there.is_dir() => std::fs::remove_dir_all(&to)?,
            Some(_) => std::fs::remove_file(&to)?,
            None => {}
        }
        if kind.is_symlink() {
            std::os::unix::fs::symlink(std::fs::read_link(&from)?, &to)?;
        } else if kind.is_file() {
            std::fs::copy(&from, &to)?;
        }
    }
    Ok(())
}

/// How many bytes the files of a folder have; it stops counting above `limit`.
pub(super) fn size(folder: &Path, limit: u64) -> u64 {
    let mut folders = vec![folder.to_owned()];
    let mut size = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            match entry.metadata() {
                Ok(found) if found.is_dir() => folders.push(entry.path()),
                Ok(found) if found.is_file() => size += found.len(),
                _ => {}
            }
        }
        if size > limit {
            break;
        }
    }
    size
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_layer_covers_an_earlier_one() {
        let folder = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("one/python/a.py", "1");
        write("one/python/b.py", "1");
        write("one/shape", "a file");
        write("two/python/b.py", "2");
        write("two/shape/inner", "a folder");
        std::os::unix::fs::symlink("a.py", folder.path().join("two/python/link")).unwrap();
        let into = folder.path().join("opt");
        for layer in ["one", "two"] {
            cover(&folder.path().join(layer), &into).unwrap();
        }
        let read = |path: &str| std::fs::read_to_string(into.join(path)).unwrap();
        assert_eq!(["python/a.py", "python/b.py", "python/link", "shape/inner"].map(read), ["1", "2", "1", "a folder"]);
        assert_eq!(size(&into, 1000), 10);
    }
}
