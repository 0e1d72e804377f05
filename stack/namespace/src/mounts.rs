//! Shows folders at other places, in mounts of this process only.

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, StatVfsMountFlags, statvfs};
use rustix::mount::{MountFlags, MoveMountFlags, OpenTreeFlags, mount, mount_bind_recursive, mount_remount, move_mount, open_tree};

/// Where a function's code is.
pub(crate) const TASK: &str = "/var/task";
/// Where a function's layers are.
const OPT: &str = "/opt";

/// A file or folder that can be shown elsewhere, also after something covers its place.
#[derive(Debug)]
pub(crate) struct Taken {
    path: PathBuf,
    is_folder: bool,
    tree: OwnedFd,
}

impl Taken {
    /// Takes what is at `path` now.
    pub(crate) fn of(path: &Path) -> io::Result<Self> {
        let is_folder = path.is_dir();
        let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_RECURSIVE;
        Ok(Self { path: path.to_owned(), is_folder, tree: open_tree(CWD, path, flags)? })
    }

    /// Shows it at `place`, which exists.
    pub(crate) fn put(&self, place: &Path) -> io::Result<()> {
        Ok(move_mount(&self.tree, "", CWD, place, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)?)
    }

    /// Shows it at its own place again, which is made.
    pub(crate) fn put_back(&self) -> io::Result<()> {
        if self.is_folder {
            std::fs::create_dir_all(&self.path)?;
        } else {
            self.path.parent().map_or(Ok(()), std::fs::create_dir_all)?;
            std::fs::File::options().create(true).append(true).open(&self.path)?;
        }
        self.put(&self.path)
    }
}

/// Shows a folder at `/opt`, read-only; what is kept below `/opt` stays beside it.
pub(crate) fn show_opt(folder: &Path, keep: &[PathBuf]) -> io::Result<()> {
    if keep.iter().any(|path| path.starts_with(OPT)) {
        let entries = entries(folder)?;
        memory(OPT)?;
        for (entry, name) in entries {
            put_into(&entry, &Path::new(OPT).join(name))?;
        }
        return Ok(());
    }
    mount_bind_recursive(folder, OPT)?;
    read_only(OPT)
}

/// Shows a folder at `/var/task`, read-only, beside everything else in `/var`.
pub(crate) fn show_task(task: &Taken) -> io::Result<()> {
    if !Path::new(TASK).is_dir() {
        let entries = entries(Path::new("/var"))?;
        memory("/var")?;
        for (entry, name) in entries {
            put_into(&entry, &Path::new("/var").join(name))?;
        }
        std::fs::create_dir(TASK)?;
    }
    task.put(TASK.as_ref())?;
    read_only(TASK)
}

/// What a folder has. A symbolic link is not taken but made anew.
enum Entry {
    Taken(Taken),
    Link(PathBuf),
}

fn entries(folder: &Path) -> io::Result<Vec<(Entry, std::ffi::OsString)>> {
    let mut entries = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let taken = if entry.file_type()?.is_symlink() {
            Entry::Link(std::fs::read_link(entry.path())?)
        } else {
            Entry::Taken(Taken::of(&entry.path())?)
        };
        entries.push((taken, entry.file_name()));
    }
    Ok(entries)
}

fn put_into(entry: &Entry, place: &Path) -> io::Result<()> {
    match entry {
        Entry::Link(target) => std::os::unix::fs::symlink(target, place),
        Entry::Taken(taken) => {
            if taken.is_folder {
                std::fs::create_dir(place)?;
            } else {
                std::fs::File::create(place)?;
            }
            taken.put(place)
        }
    }
}

/// An empty folder in memory, for the places of mounts.
fn memory(place: &str) -> io::Result<()> {
    Ok(mount("tmpfs", place, "tmpfs", MountFlags::NOSUID | MountFlags::NODEV, c"mode=0755,size=1m")?)
}

/// What else a mount forbids must be forbidden again: an unprivileged process may not allow it.
fn read_only(place: &str) -> io::Result<()> {
    let now = statvfs(place)?.f_flag;
    let mut flags = MountFlags::BIND | MountFlags::RDONLY;
    for (is, also) in [
        (StatVfsMountFlags::NOSUID, MountFlags::NOSUID),
        (StatVfsMountFlags::NODEV, MountFlags::NODEV),
        (StatVfsMountFlags::NOEXEC, MountFlags::NOEXEC),
        (StatVfsMountFlags::NOATIME, MountFlags::NOATIME),
        (StatVfsMountFlags::NODIRATIME, MountFlags::NODIRATIME),
        (StatVfsMountFlags::RELATIME, MountFlags::RELATIME),
    ] {
        if now.contains(is) {
            flags |= also;
        }
    }
    Ok(mount_remount(place, flags, c"")?)
}
