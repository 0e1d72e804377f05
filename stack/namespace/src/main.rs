//! Becomes a program that finds folders of its own at `/opt`, `/tmp` and `/var/task`, as a function
//! does in Lambda. It changes no mount of the machine, and needs no privilege where the kernel has
//! user namespaces. It never starts the program without the folders.

mod mounts;

use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use rustix::io::Errno;
use rustix::mount::{MountPropagationFlags, mount_change};
use rustix::process::{getgid, getuid};
use rustix::thread::UnshareFlags;

const USAGE: &str = "brownout-namespace [--tmp FOLDER] [--opt FOLDER] [--task FOLDER] [--keep PATH]... -- PROGRAM [ARGUMENT]...";

/// What to show where, and what to start.
#[derive(Debug, Default, PartialEq, Eq)]
struct Wanted {
    /// At `/tmp`, to be written.
    tmp: Option<PathBuf>,
    /// At `/opt`, to be read.
    opt: Option<PathBuf>,
    /// At `/var/task`, to be read; the program starts there.
    task: Option<PathBuf>,
    /// Stays at its place, although a folder is shown above it.
    keep: Vec<PathBuf>,
    /// The program and its arguments.
    line: Vec<OsString>,
}

fn main() -> ExitCode {
    let why = match read(std::env::args_os().skip(1)) {
        Some(wanted) => enter(&wanted).err().unwrap_or_else(|| start(&wanted.line)),
        None => io::Error::new(io::ErrorKind::InvalidInput, USAGE),
    };
    eprintln!("error: {why}");
    ExitCode::from(126)
}

fn read(arguments: impl IntoIterator<Item = OsString>) -> Option<Wanted> {
    let mut arguments = arguments.into_iter();
    let mut wanted = Wanted::default();
    loop {
        match arguments.next()?.to_str()? {
            "--tmp" => wanted.tmp = Some(arguments.next()?.into()),
            "--opt" => wanted.opt = Some(arguments.next()?.into()),
            "--task" => wanted.task = Some(arguments.next()?.into()),
            "--keep" => wanted.keep.push(arguments.next()?.into()),
            "--" => break,
            _ => return None,
        }
    }
    wanted.line = arguments.collect();
    (!wanted.line.is_empty()).then_some(wanted)
}

/// Gets mounts of its own and changes them.
fn enter(wanted: &Wanted) -> io::Result<()> {
    match unshare(UnshareFlags::NEWNS) {
        // Only root may do without a user namespace.
        Err(Errno::PERM) => {
            let (user, group) = (getuid().as_raw(), getgid().as_raw());
            unshare(UnshareFlags::NEWUSER | UnshareFlags::NEWNS)?;
            std::fs::write("/proc/self/setgroups", "deny")?;
            std::fs::write("/proc/self/uid_map", format!("{user} {user} 1"))?;
            std::fs::write("/proc/self/gid_map", format!("{group} {group} 1"))?;
        }
        result => result?,
    }
    mount_change("/", MountPropagationFlags::REC | MountPropagationFlags::DOWNSTREAM)?;
    let kept = wanted.keep.iter().map(|path| mounts::Taken::of(path)).collect::<io::Result<Vec<_>>>()?;
    let task = wanted.task.as_deref().map(mounts::Taken::of).transpose()?;
    if let Some(opt) = &wanted.opt {
        mounts::show_opt(opt, &wanted.keep)?;
    }
    if let Some(task) = task {
        mounts::show_task(&task)?;
    }
    if let Some(tmp) = &wanted.tmp {
        mounts::Taken::of(tmp)?.put("/tmp".as_ref())?;
    }
    kept.iter().try_for_each(mounts::Taken::put_back)?;
    if wanted.task.is_some() {
        std::env::set_current_dir(mounts::TASK)?;
    }
    Ok(())
}

#[expect(deprecated, reason = "what it is deprecated for are tables of files, which are not unshared here; it is the way without `unsafe`")]
fn unshare(flags: UnshareFlags) -> Result<(), Errno> {
    rustix::thread::unshare(flags)
}

/// Becomes the program; returns only if that fails.
fn start(line: &[OsString]) -> io::Error {
    let Some((program, arguments)) = line.split_first() else { return io::ErrorKind::InvalidInput.into() };
    let why = Command::new(program).args(arguments).exec();
    io::Error::new(why.kind(), format!("`{}` cannot be started: {why}", program.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_follows_the_folders() {
        let read = |line: &str| read(line.split(' ').map(OsString::from));
        let wanted = read("--tmp /a --keep /tmp/b --keep /opt/c --task /t -- sh -c --tmp").unwrap();
        assert_eq!((wanted.tmp, wanted.task, wanted.opt), (Some("/a".into()), Some("/t".into()), None));
        assert_eq!((wanted.keep.len(), wanted.line.len()), (2, 3));
        for wrong in ["--tmp", "--tmp /a", "--tmp /a --", "sh", "--other /a -- sh"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
