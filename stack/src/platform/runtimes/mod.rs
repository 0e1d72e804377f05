//! How a function is started: only this module knows how each runtime is started. It asks an
//! interpreter for its version, once, and starts nothing else.

mod asked;
mod clients;
mod node;
mod python;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use template::blueprint::{self, Function, Managed, Runtime};

pub(crate) use asked::Asked;
pub(crate) use clients::Clients;

/// A function's code, and the runtime that runs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Code {
    /// `provided.*`: the binary that a deployment calls `bootstrap`, under another name.
    Provided(PathBuf),
    /// `provided.*`: the program `bootstrap` of a folder, or of a layer if the folder has none.
    Bootstrap {
        /// `_HANDLER`, which the program may read.
        handler: String,
        /// What a deployment unpacks at `/var/task`.
        folder: PathBuf,
    },
    /// A managed runtime: the machine's interpreter with a runtime client.
    Managed {
        /// The runtime.
        runtime: Managed,
        /// `file.function`.
        handler: String,
        /// What a deployment unpacks at `/var/task`.
        folder: PathBuf,
    },
    /// Code or a runtime that this machine does not have: every invocation fails.
    Missing {
        /// The name of the runtime in a template.
        runtime: String,
        /// What is missing.
        why: String,
    },
}

/// The command that starts a runtime.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Launch {
    pub program: PathBuf,
    pub arguments: Vec<OsString>,
    /// Lists of folders in which the runtime looks for code, for the runtime only. The function's
    /// own list, if it has one, comes first.
    pub paths: Vec<(&'static str, OsString)>,
    /// What is not as on AWS, such as another version than the template asks for.
    pub notices: Vec<String>,
}

/// Why a runtime cannot be started on this machine.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("function `{function}` needs `{runtime}`: {why}")]
pub struct MissingRuntime {
    /// The function.
    pub function: String,
    /// The name in a template.
    pub runtime: String,
    /// What is missing, and what to install.
    pub why: String,
}

/// Looks up a variable of this process; such variables name the machine's interpreters.
type Variable<'a> = &'a dyn Fn(&str) -> Option<OsString>;

impl Code {
    /// Finds the command; asks each interpreter once whether it has the published client. `opt` is where the
    /// function's layers are.
    ///
    /// # Errors
    /// Says what is missing and how to install it.
    pub(crate) fn launch(&self, function: &str, opt: Option<&Path>, asked: &Asked) -> Result<Launch, MissingRuntime> {
        let of_this_process: Variable<'_> = &|name| std::env::var_os(name).filter(|value| !value.is_empty());
        let plain = |program: PathBuf| Launch { program, arguments: Vec::new(), paths: Vec::new(), notices: Vec::new() };
        let (runtime, found) = match self {
            Self::Provided(binary) => return Ok(plain(binary.clone())),
            Self::Bootstrap { folder, .. } => {
                // Source: Lambda, "Building a custom runtime": the code first, then the layers.
                let own = folder.join("bootstrap");
                let of_layers = opt.map(|opt| opt.join("bootstrap")).filter(|_| !own.is_file());
                return Ok(plain(of_layers.unwrap_or(own)));
            }
            Self::Managed { runtime: runtime @ Managed::Python(_), handler, .. } => {
                (runtime, python::launch(runtime.name(), handler, opt, of_this_process, asked))
            }
            Self::Managed { runtime: runtime @ Managed::Node(_), handler, folder } => {
                (runtime, node::launch(runtime.name(), handler, folder, opt, of_this_process, asked))
            }
            Self::Missing { runtime, why } => {
                return Err(MissingRuntime { function: function.to_owned(), runtime: runtime.clone(), why: why.clone() });
            }
        };
        found.map_err(|why| MissingRuntime { function: function.to_owned(), runtime: runtime.name().to_owned(), why })
    }

    /// The code of a function whose code or runtime this machine does not have.
    pub(crate) fn missing(runtime: &Runtime) -> Self {
        let why = match runtime {
            Runtime::NotServed(_) => "it is not served here, there are: provided.*, python3.*, nodejs*.x",
            Runtime::Provided | Runtime::Managed(_) => "its code is not on this machine",
        };
        Self::Missing { runtime: runtime.name().to_owned(), why: why.to_owned() }
    }

    /// The folder that Lambda calls `/var/task`.
    pub(crate) fn task_root(&self) -> &Path {
        match self {
            Self::Provided(binary) => binary.parent().unwrap_or(Path::new("")),
            Self::Managed { folder, .. } | Self::Bootstrap { folder, .. } => folder,
            Self::Missing { .. } => Path::new(""),
        }
    }

    /// `_HANDLER`.
    pub(crate) fn handler(&self) -> &str {
        match self {
            Self::Provided(_) => "bootstrap",
            Self::Managed { handler, .. } | Self::Bootstrap { handler, .. } => handler,
            Self::Missing { .. } => "",
        }
    }

    /// `AWS_EXECUTION_ENV`, which OS-only runtimes do not have.
    pub(crate) fn execution_environment(&self) -> Option<String> {
        match self {
            Self::Provided(_) | Self::Bootstrap { .. } | Self::Missing { .. } => None,
            Self::Managed { runtime, .. } => Some(format!("AWS_Lambda_{}", runtime.name())),
        }
    }
}

/// The declared functions whose runtime this machine lacks, each with what is missing; those whose
/// template says so already are not among them. `folder` is that of the template.
pub fn missing<'a>(functions: &'a [Function], folder: &Path) -> Vec<(&'a Function, MissingRuntime)> {
    let asked = Asked::default();
    let of = |function: &'a Function| {
        let (Runtime::Managed(runtime), path) = (&function.runtime, &function.code) else { return None };
        let folder = match path {
            blueprint::Code::Path(path) => folder.join(path),
            blueprint::Code::Inline(_) => PathBuf::new(),
            blueprint::Code::Binary(_) | blueprint::Code::Missing => return None,
        };
        let code = Code::Managed { runtime: runtime.clone(), handler: function.handler.clone(), folder };
        code.launch(&function.name, None, &asked).err().map(|missing| (function, missing))
    };
    functions.iter().filter_map(of).collect()
}

/// Finds a program by name in `PATH`; a path with a folder is taken directly.
fn find(program: &Path, variable: Variable<'_>) -> Option<PathBuf> {
    if program.components().count() > 1 {
        return program.is_file().then(|| program.to_owned());
    }
    let path = variable("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|candidate| candidate.is_file())
}

/// Folders as one list, as in `PATH`; those of this process's variable come last.
fn joined(folders: impl IntoIterator<Item = PathBuf>, of_this_process: Option<&OsString>) -> Option<OsString> {
    let all = folders.into_iter().chain(of_this_process.into_iter().flat_map(std::env::split_paths));
    // A folder whose name has a colon cannot be in a list.
    let list = std::env::join_paths(all.filter(|folder| !folder.to_string_lossy().contains(':'))).ok();
    list.filter(|list| !list.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_runtime_is_named_with_how_to_install_it() {
        let folder = Path::new("/nonexistent");
        let asked = Asked::default();
        let nowhere = |name: &str| (name == "PATH").then(|| OsString::from("/nonexistent"));
        let python = python::launch("python3.12", "echo.handler", None, &nowhere, &asked).unwrap_err();
        assert!(python.contains("python3.12") && python.contains("BROWNOUT_PYTHON"), "{python}");
        let node = node::launch("nodejs22.x", "echo.handler", folder, None, &nowhere, &asked).unwrap_err();
        assert!(node.contains("node") && node.contains("BROWNOUT_NODE"), "{node}");
        // `false` is no Python, and `true` no Node, which has a version too.
        let wrong = |name: &str| match name {
            "PATH" => std::env::var_os("PATH"),
            "BROWNOUT_PYTHON" => Some("false".into()),
            "BROWNOUT_NODE" => Some("true".into()),
            _ => None,
        };
        let python = python::launch("python3.12", "echo.handler", None, &wrong, &asked).unwrap_err();
        assert!(python.contains("no `false` that runs"), "{python}");
        let node = node::launch("nodejs22.x", "echo.handler", folder, None, &wrong, &asked).unwrap_err();
        assert!(node.contains("true` is no Node that runs"), "{node}");
    }

    #[test]
    fn an_interpreter_without_the_published_client_gets_ours() {
        let folder = tempfile::tempdir().unwrap();
        let program = programs(folder.path());
        program("python3.12", "echo 3.12; echo; exit 1");
        program("node", "echo v22.1.0");
        let here = |name: &str| (name == "PATH").then(|| folder.path().as_os_str().to_owned());
        let asked = Asked::with(Clients::write(folder.path()).unwrap());
        let python = python::launch("python3.12", "a.b", None, &here, &asked).unwrap();
        let node = node::launch("nodejs22.x", "a.b", folder.path(), None, &here, &asked).unwrap();
        for (launch, file, install) in
            [(python, "bootstrap.py", "pip install awslambdaric"), (node, "index.cjs", "npm install aws-lambda-ric")]
        {
            assert_eq!(launch.arguments, [folder.path().join("clients").join(file).into_os_string()]);
            assert!(folder.path().join("clients").join(file).is_file());
            assert!(launch.notices.len() == 1 && launch.notices[0].contains(install), "{:?}", launch.notices);
        }
    }

    /// Writes programs into a folder.
    fn programs(folder: &Path) -> impl Fn(&str, &str) {
        move |name, text| {
            let path = folder.join(name);
            std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
            std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        }
    }

    #[test]
    fn the_nearest_version_is_used_and_told() {
        let folder = tempfile::tempdir().unwrap();
        let program = programs(folder.path());
        // A shim of a version manager: it is there and does not run.
        program("python3.11", "exit 127");
        program("python3.12", "echo 3.12; echo /the/python3.12; echo client");
        program("python3", "echo 3.13; echo /the/python3; echo client");
        let here = |name: &str| (name == "PATH").then(|| folder.path().as_os_str().to_owned());
        let launch = |wanted: &str| python::launch(wanted, "a.b", Some(Path::new("/opt")), &here, &Asked::default()).unwrap();
        let exact = launch("python3.12");
        assert_eq!((exact.program.to_str().unwrap(), exact.notices), ("/the/python3.12", Vec::new()));
        let path = "/opt/python/lib/python3.12/site-packages:/opt/python";
        assert_eq!(exact.paths, [("PYTHONPATH", OsString::from(path))]);
        for wanted in ["python3.11", "python3.9"] {
            let nearest = launch(wanted);
            assert_eq!(nearest.program.to_str().unwrap(), "/the/python3", "{wanted}");
            assert!(nearest.notices[0].contains("3.13"), "{wanted}");
        }
    }
}
