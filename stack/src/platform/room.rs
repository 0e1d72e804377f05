//! The folders of one environment: `/opt`, `/tmp` and `/var/task` as in Lambda where the kernel lets
//! a process have mounts of its own, else the folders as they are, named by variables. It knows no
//! process; `life.rs` starts them.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Component, Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::process::Command;

use super::deployed::{Deployed, Machine};
use super::process;
use super::runtimes::Code;

const OPT: &str = "/opt";
const TASK: &str = "/var/task";
const TMP: &str = "/tmp";

/// Where an environment finds its folders.
#[derive(Debug)]
pub(crate) struct Room {
    /// The command that makes the mounts; empty without them.
    prefix: Vec<OsString>,
    /// The environment's own folder for `/tmp`; it goes with the environment.
    tmp: PathBuf,
    /// What is shown elsewhere, and where.
    shown: Vec<(PathBuf, &'static str)>,
}

impl Room {
    /// Makes the folders of a new environment.
    ///
    /// # Errors
    /// If the run folder cannot be written.
    pub(crate) fn new(deployed: &Deployed) -> io::Result<Self> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let machine = &deployed.machine;
        let tmp = machine.folder.join(NUMBER.fetch_add(1, Ordering::Relaxed).to_string());
        std::fs::create_dir_all(&tmp)?;
        let mut room = Self { prefix: Vec::new(), tmp, shown: Vec::new() };
        // A shipped binary looks for nothing in these folders, and starts faster without mounts.
        let shipped = matches!(deployed.function.code, Code::Provided(_)) && deployed.function.opt.is_none();
        if let Some(program) = machine.namespace.as_ref().filter(|_| !shipped) {
            room.mount(program, deployed)?;
        }
        Ok(room)
    }

    fn mount(&mut self, program: &Path, deployed: &Deployed) -> io::Result<()> {
        let code = &deployed.function.code;
        let opt = match &deployed.function.opt {
            Some(opt) => opt.clone(),
            None => empty(&deployed.machine)?,
        };
        self.shown.push((opt.clone(), OPT));
        let mut prefix: Vec<OsString> = vec![program.into(), "--tmp".into(), self.tmp.clone().into(), "--opt".into(), opt.into()];
        // A shipped binary is beside all others.
        if !matches!(code, Code::Provided(_)) {
            self.shown.push((code.task_root().to_owned(), TASK));
            prefix.extend(["--task".into(), code.task_root().into()]);
        }
        for kept in self.kept(deployed) {
            prefix.extend(["--keep".into(), kept.into()]);
        }
        prefix.push("--".into());
        self.prefix = prefix;
        Ok(())
    }

    /// What the processes need although it is below a folder that is covered: programs, the plan, the
    /// runtime's client.
    fn kept(&self, deployed: &Deployed) -> BTreeSet<PathBuf> {
        let (machine, launch) = (&deployed.machine, &deployed.launch);
        let lists = launch.paths.iter().flat_map(|(_, list)| std::env::split_paths(list));
        let binary = match &deployed.function.code {
            Code::Provided(binary) => Some(binary.clone()),
            Code::Bootstrap { .. } | Code::Managed { .. } | Code::Missing { .. } => None,
        };
        let needed = machine.extension.iter().cloned().chain([machine.wrapper.clone(), machine.plan.clone(), launch.program.clone()]);
        let needed = needed.chain(launch.arguments.iter().map(PathBuf::from)).chain(lists).chain(binary);
        let elsewhere = needed.filter(|path| self.show(path) == *path);
        elsewhere.flat_map(|path| [path.canonicalize().ok(), Some(path)]).flatten().filter_map(|path| below_a_cover(&path)).collect()
    }

    /// Where the processes find a file or folder.
    pub(crate) fn show(&self, path: &Path) -> PathBuf {
        let place = self.shown.iter().find_map(|(real, place)| Some(Path::new(place).join(path.strip_prefix(real).ok()?)));
        // Joining nothing would add a slash.
        place.map_or_else(|| path.to_owned(), |place| place.components().collect())
    }

    /// The same in a list of folders.
    pub(crate) fn show_all(&self, list: &OsStr) -> OsString {
        let shown = std::env::split_paths(list).map(|folder| self.show(&folder));
        std::env::join_paths(shown).unwrap_or_else(|_| list.to_owned())
    }

    /// The command that starts a program in this room.
    pub(crate) fn command<'a>(&self, program: &Path, arguments: impl IntoIterator<Item = &'a OsStr>) -> Command {
        let program = self.show(program);
        let mut command = match self.prefix.split_first() {
            Some((first, rest)) => {
                let mut command = process::command(first);
                command.args(rest).arg(program);
                command
            }
            None => process::command(program),
        };
        for argument in arguments {
            command.arg(if Path::new(argument).is_absolute() {
                self.show(Path::new(argument)).into_os_string()
            } else {
                argument.to_owned()
            });
        }
        command
    }

    /// The variables of a process that does not see the room: it writes into the same `/tmp`.
    pub(crate) fn seen_from_outside(&self, variables: &BTreeMap<String, String>) -> BTreeMap<String, String> {
        let mut variables = variables.clone();
        if !self.prefix.is_empty() {
            let folder = variables.get("TMPDIR").map_or(TMP, String::as_str);
            let folder = Path::new(folder).strip_prefix(TMP).map_or_else(|_| PathBuf::from(folder), |rest| self.tmp.join(rest));
            variables.insert("TMPDIR".to_owned(), folder.display().to_string());
        }
        variables
    }

    /// Where a file of a layer or of the code is that the function names by its place in Lambda.
    pub(crate) fn find(&self, deployed: &Deployed, path: &str) -> String {
        if !self.prefix.is_empty() {
            return path.to_owned();
        }
        let opt = deployed.function.opt.as_deref().and_then(|opt| Some(opt.join(Path::new(path).strip_prefix(OPT).ok()?)));
        let task = || Some(deployed.function.code.task_root().join(Path::new(path).strip_prefix(TASK).ok()?));
        opt.or_else(task).map_or_else(|| path.to_owned(), |found| found.display().to_string())
    }

    /// The variables that lead to the folders. Source: Lambda, "Using Lambda environment variables".
    pub(crate) fn variables(&self, deployed: &Deployed) -> Vec<(&'static str, String)> {
        let code = &deployed.function.code;
        let task = self.show(code.task_root()).display().to_string();
        let mut variables = Vec::new();
        if self.prefix.is_empty() {
            variables.push(("TMPDIR", self.tmp.display().to_string()));
        }
        let opt = deployed.function.opt.as_deref().map(|opt| self.show(opt).display().to_string());
        if !matches!(code, Code::Provided(_)) || opt.is_some() {
            let of_layers = opt.as_ref().map(|opt| format!(":{opt}/lib")).unwrap_or_default();
            variables.push(("LD_LIBRARY_PATH", format!("{task}:{task}/lib{of_layers}")));
        }
        if let Some(opt) = opt {
            let path = std::env::var("PATH").unwrap_or_else(|_| "/usr/local/bin:/usr/bin:/bin".to_owned());
            variables.push(("PATH", format!("{path}:{opt}/bin")));
        }
        variables.push(("LAMBDA_TASK_ROOT", task));
        variables
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        // What is left is removed with the run folder.
        let _ = std::fs::remove_dir_all(&self.tmp);
    }
}

/// The entry of a covered folder in which the path is.
fn below_a_cover(path: &Path) -> Option<PathBuf> {
    let cover = [TMP, OPT, TASK].into_iter().find(|cover| path.starts_with(cover))?;
    let first = path.strip_prefix(cover).ok()?.components().next()?;
    matches!(first, Component::Normal(_)).then(|| Path::new(cover).join(first))
}

fn empty(machine: &Machine) -> io::Result<PathBuf> {
    let empty = machine.folder.join("empty");
    std::fs::create_dir_all(&empty)?;
    Ok(empty)
}

/// Whether `program` can show folders elsewhere on this machine, tried once; if not, why.
pub(crate) fn try_out(program: &Path, folder: &Path) -> Result<(), String> {
    let empty = folder.join("empty");
    std::fs::create_dir_all(&empty).map_err(|why| why.to_string())?;
    let mut command = std::process::Command::new(program);
    for flag in ["--tmp", "--opt", "--task"] {
        command.arg(flag).arg(&empty);
    }
    command.args(["--", "/bin/sh", "-c", ":"]).stdin(Stdio::null()).stdout(Stdio::null());
    let output = command.output().map_err(|why| why.to_string())?;
    if output.status.success() {
        Ok(())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).trim().trim_start_matches("error: ").to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_shown_where_the_processes_find_them() {
        let room =
            Room { prefix: Vec::new(), tmp: "/nonexistent".into(), shown: vec![("/run/1".into(), OPT), ("/project/src".into(), TASK)] };
        for (real, shown) in [
            ("/run/1", "/opt"),
            ("/run/1/python/a", "/opt/python/a"),
            ("/project/src/bootstrap", "/var/task/bootstrap"),
            ("/project/other", "/project/other"),
        ] {
            assert_eq!(room.show(Path::new(real)).as_os_str(), shown, "{real}");
        }
        assert_eq!(room.show_all(OsStr::new("/run/1/python:/usr/lib")), "/opt/python:/usr/lib");
    }

    #[test]
    fn only_what_is_covered_is_kept() {
        for (path, kept) in
            [("/tmp/a/b/c", Some("/tmp/a")), ("/opt/python/bin", Some("/opt/python")), ("/usr/bin/node", None), ("/tmp", None)]
        {
            assert_eq!(below_a_cover(Path::new(path)).as_deref(), kept.map(Path::new), "{path}");
        }
    }
}
