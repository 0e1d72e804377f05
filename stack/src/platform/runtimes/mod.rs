//! How a function is started: only this module knows how each runtime is started. It starts nothing
//! itself.

mod node;
mod python;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use template::blueprint::{self, Managed, Runtime};

/// A function's code, and the runtime that runs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Code {
    /// `provided.*`: the binary that a deployment calls `bootstrap`.
    Provided(PathBuf),
    /// A managed runtime: the machine's interpreter with the published runtime interface client.
    Managed {
        /// The runtime.
        runtime: Managed,
        /// `file.function`.
        handler: String,
        /// What a deployment unpacks at `/var/task`.
        folder: PathBuf,
    },
}

/// The command that starts a runtime.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Launch {
    pub program: PathBuf,
    pub arguments: Vec<OsString>,
    /// Where the runtime finds its client: variables for the runtime only.
    pub variables: Vec<(&'static str, OsString)>,
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
    /// The code of a declared function: a binary in `binaries`, or a folder relative to `template`,
    /// the folder of the template.
    pub fn of(function: &blueprint::Function, binaries: &Path, template: &Path) -> Self {
        match (&function.code, &function.runtime) {
            (blueprint::Code::Binary(name), _) => Self::Provided(binaries.join(name)),
            (blueprint::Code::Path(path), Runtime::Managed(runtime)) => {
                Self::Managed { runtime: runtime.clone(), handler: function.handler.clone(), folder: template.join(path) }
            }
            (blueprint::Code::Path(path), Runtime::Provided) => Self::Provided(template.join(path).join("bootstrap")),
            (blueprint::Code::Inline(_), _) => Self::Provided(PathBuf::new()),
        }
    }

    /// Finds the command; asks the interpreter once whether it has the client.
    ///
    /// # Errors
    /// Says what is missing and how to install it.
    pub(crate) fn launch(&self, function: &str) -> Result<Launch, MissingRuntime> {
        let of_this_process: Variable<'_> = &|name| std::env::var_os(name).filter(|value| !value.is_empty());
        let (runtime, found) = match self {
            Self::Provided(binary) => return Ok(Launch { program: binary.clone(), arguments: Vec::new(), variables: Vec::new() }),
            Self::Managed { runtime: runtime @ Managed::Python(_), handler, .. } => (runtime, python::launch(handler, of_this_process)),
            Self::Managed { runtime: runtime @ Managed::Node(_), handler, folder } => {
                (runtime, node::launch(handler, folder, of_this_process))
            }
        };
        found.map_err(|why| MissingRuntime { function: function.to_owned(), runtime: runtime.name().to_owned(), why })
    }

    /// The folder that Lambda calls `/var/task`.
    pub(crate) fn task_root(&self) -> &Path {
        match self {
            Self::Provided(binary) => binary.parent().unwrap_or(Path::new("")),
            Self::Managed { folder, .. } => folder,
        }
    }

    /// `_HANDLER`.
    pub(crate) fn handler(&self) -> &str {
        match self {
            Self::Provided(_) => "bootstrap",
            Self::Managed { handler, .. } => handler,
        }
    }

    /// `AWS_EXECUTION_ENV`, which OS-only runtimes do not have.
    pub(crate) fn execution_environment(&self) -> Option<String> {
        match self {
            Self::Provided(_) => None,
            Self::Managed { runtime, .. } => Some(format!("AWS_Lambda_{}", runtime.name())),
        }
    }
}

/// Finds a program by name in `PATH`; a path with a folder is taken directly.
fn find(program: &Path, variable: Variable<'_>) -> Option<PathBuf> {
    if program.components().count() > 1 {
        return program.is_file().then(|| program.to_owned());
    }
    let path = variable("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|candidate| candidate.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_runtime_is_named_with_how_to_install_it() {
        let nowhere = |name: &str| (name == "PATH").then(|| OsString::from("/nonexistent"));
        let python = python::launch("echo.handler", &nowhere).unwrap_err();
        assert!(python.contains("python3") && python.contains("BROWNOUT_PYTHON"), "{python}");
        let node = node::launch("echo.handler", Path::new("/nonexistent"), &nowhere).unwrap_err();
        assert!(node.contains("node") && node.contains("BROWNOUT_NODE"), "{node}");
        // Interpreters without the client: `true` runs anything and `false` nothing.
        let without = |name: &str| match name {
            "PATH" => std::env::var_os("PATH"),
            "BROWNOUT_PYTHON" => Some("false".into()),
            "BROWNOUT_NODE" => Some("true".into()),
            _ => None,
        };
        let python = python::launch("echo.handler", &without).unwrap_err();
        assert!(python.contains("pip install awslambdaric"), "{python}");
        let node = node::launch("echo.handler", Path::new("/nonexistent"), &without).unwrap_err();
        assert!(node.contains("npm install aws-lambda-ric"), "{node}");
    }
}
