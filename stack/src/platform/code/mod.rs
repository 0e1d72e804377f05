//! What a function runs and what it finds in `/opt`, from what its template declares. It reads the
//! template's folder and writes into a folder of the run; it starts nothing, and nothing outside the
//! template's folder becomes code.

mod archive;
mod dependencies;
mod layers;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use template::blueprint::{self, Managed, Runtime};

use super::runtimes::Code;
use crate::artifacts::Artifacts;
pub use archive::ArchiveError;

/// Lambda's limit for a function's code and layers together, unpacked, in bytes; an archive may not
/// exceed it, so that it cannot fill the disk. Source: Lambda
/// quotas, "Deployment package (.zip file archive) size": 250 MB.
const LARGEST: u64 = 250 * 1024 * 1024;

/// Where code comes from, and where archives are unpacked.
#[derive(Debug)]
pub struct Place {
    /// The folder of the shipped functions' binaries.
    binaries: PathBuf,
    /// The folder of the template.
    template: PathBuf,
    /// The folder that no code of the template may leave.
    root: PathBuf,
    /// Where archives are unpacked.
    unpacked: PathBuf,
    /// Folders or archives by the ARN of the layer that they stand in for.
    layers: BTreeMap<String, PathBuf>,
    /// The folders of the archives and layers that were unpacked already.
    done: Mutex<BTreeMap<Vec<PathBuf>, PathBuf>>,
    /// The sizes of folders: many functions may share one.
    sizes: Mutex<BTreeMap<PathBuf, u64>>,
}

/// A function's code, ready to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prepared {
    /// What runs.
    pub code: Code,
    /// What the function finds at `/opt`.
    pub opt: Option<PathBuf>,
    /// What a user should know before the first event.
    pub notices: Vec<String>,
}

/// Why a function cannot run.
#[derive(Debug, thiserror::Error)]
pub enum CodeError {
    /// The code or a layer does not exist.
    #[error("found no `{}`; run `sam build`, or correct the path", .0.display())]
    Missing(PathBuf),
    /// A path, or the symbolic link that it is, leaves the folder.
    #[error("`{}` is outside of `{}`, and only what is inside may run", path.display(), root.display())]
    Outside {
        /// The path.
        path: PathBuf,
        /// The folder.
        root: PathBuf,
    },
    /// A file that is not an archive.
    #[error("`{}` is neither a folder nor a `.zip` file", .0.display())]
    Kind(PathBuf),
    /// An archive that is refused.
    #[error("`{}` cannot be unpacked: {why}", path.display())]
    Archive {
        /// The archive.
        path: PathBuf,
        /// Why.
        why: ArchiveError,
    },
    /// Inline code for a runtime that has none.
    #[error("inline code runs in a Python or Node runtime only")]
    Inline,
    /// There is no program `bootstrap`.
    #[error("found no program `bootstrap` in `{}` or in a layer; run `sam build`, or name a folder that has it", .0.display())]
    Bootstrap(PathBuf),
    /// A folder cannot be read or written.
    #[error("`{}` cannot be read or written: {why}", path.display())]
    Io {
        /// The folder or file.
        path: PathBuf,
        /// Why.
        why: io::Error,
    },
}

impl Place {
    /// Code of the template in the folder `template`; archives are unpacked into `unpacked`, and
    /// shipped binaries are in `binaries`. `layers` are folders or archives by a layer's ARN.
    pub fn new(binaries: &Path, template: &Path, unpacked: PathBuf, layers: BTreeMap<String, PathBuf>) -> Self {
        let template = if template.as_os_str().is_empty() { Path::new(".") } else { template };
        // What `sam build` writes may link to the sources beside it.
        let root = template.ancestors().find(|above| above.ends_with(".aws-sam")).and_then(Path::parent).unwrap_or(template);
        let root = if root.as_os_str().is_empty() { Path::new(".") } else { root };
        Self {
            binaries: binaries.to_owned(),
            template: template.to_owned(),
            root: root.to_owned(),
            unpacked,
            layers,
            done: Mutex::default(),
            sizes: Mutex::default(),
        }
    }

    /// The code of a declared function and its layers.
    ///
    /// # Errors
    /// If there is no such code, it leaves the template's folder, or an archive is refused.
    pub fn prepare(&self, function: &blueprint::Function) -> Result<Prepared, CodeError> {
        let mut notices = Vec::new();
        let opt = self.opt(function, &mut notices)?;
        let code = match &function.code {
            blueprint::Code::Binary(name) => Code::Provided(self.binary(name)?),
            blueprint::Code::Path(path) => self.of_folder(function, self.folder(path)?, opt.as_deref())?,
            blueprint::Code::Inline(text) => self.inline(function, text)?,
            blueprint::Code::Missing => Code::missing(&function.runtime),
        };
        if let (Code::Managed { folder, runtime, .. }, blueprint::Code::Path(_)) = (&code, &function.code) {
            notices.extend(dependencies::missing(&function.name, runtime, folder, opt.as_deref()));
        }
        // The folder of the sources may have more than what `sam build` deploys.
        if self.size(&code, opt.as_deref(), &function.code) > LARGEST {
            notices.push(format!("code and layers of function `{}` have more than the {LARGEST} bytes that Lambda allows", function.name));
        }
        Ok(Prepared { code, opt, notices })
    }

    /// The program of a shipped function: its own, or a link to the one of all, which is the function whose name it has.
    fn binary(&self, name: &str) -> Result<PathBuf, CodeError> {
        let (own, shared) = (self.binaries.join(name), self.binaries.join(Artifacts::FUNCTIONS));
        if own.is_file() || !shared.is_file() {
            return Ok(own);
        }
        let link = self.unpacked.join(name);
        let failed = |why| CodeError::Io { path: link.clone(), why };
        // Another function may have the same program.
        if !link.is_symlink() {
            std::fs::create_dir_all(&self.unpacked).map_err(failed)?;
            std::os::unix::fs::symlink(absolute(&shared)?, &link).map_err(failed)?;
        }
        Ok(absolute(&self.unpacked)?.join(name))
    }

    fn of_folder(&self, function: &blueprint::Function, folder: PathBuf, opt: Option<&Path>) -> Result<Code, CodeError> {
        let handler = function.handler.clone();
        match &function.runtime {
            Runtime::Managed(runtime) => Ok(Code::Managed { runtime: runtime.clone(), handler, folder }),
            Runtime::Provided => {
                let own = folder.join("bootstrap");
                if own.is_file() {
                    self.inside(&own)?;
                } else if !opt.is_some_and(|opt| opt.join("bootstrap").is_file()) {
                    return Err(CodeError::Bootstrap(folder));
                }
                Ok(Code::Bootstrap { handler, folder })
            }
            Runtime::NotServed(_) => Ok(Code::missing(&function.runtime)),
        }
    }

    /// Inline code is the file `index` of the runtime. Source: CloudFormation,
    /// `AWS::Lambda::Function Code`, `ZipFile`.
    fn inline(&self, function: &blueprint::Function, text: &str) -> Result<Code, CodeError> {
        let (runtime, file) = match &function.runtime {
            Runtime::Managed(runtime @ Managed::Python(_)) => (runtime, "index.py"),
            Runtime::Managed(runtime @ Managed::Node(_)) => (runtime, "index.js"),
            Runtime::Provided | Runtime::NotServed(_) => return Err(CodeError::Inline),
        };
        let folder = self.unpacked.join(format!("inline-{}", function.resource));
        let path = folder.join(file);
        let failed = |why| CodeError::Io { path: path.clone(), why };
        std::fs::create_dir_all(&folder).map_err(failed)?;
        std::fs::write(&path, text).map_err(failed)?;
        Ok(Code::Managed { runtime: runtime.clone(), handler: function.handler.clone(), folder: absolute(&folder)? })
    }

    /// A folder of the template, or an archive of it, unpacked.
    fn folder(&self, path: &str) -> Result<PathBuf, CodeError> {
        let path = self.inside(&self.template.join(path))?;
        self.unpack(path)
    }

    /// The real path, if it is inside of the root.
    fn inside(&self, path: &Path) -> Result<PathBuf, CodeError> {
        let real = std::fs::canonicalize(path).map_err(|_| CodeError::Missing(path.to_owned()))?;
        let root = absolute(&self.root)?;
        // Shipped binaries are trusted, wherever the command was installed.
        if real.starts_with(&root) { Ok(real) } else { Err(CodeError::Outside { path: path.to_owned(), root }) }
    }

    /// The folder itself, or the folder into which an archive was unpacked, once for the stack.
    fn unpack(&self, path: PathBuf) -> Result<PathBuf, CodeError> {
        if path.is_dir() {
            return Ok(path);
        }
        if !path.extension().is_some_and(|end| end.eq_ignore_ascii_case("zip") || end.eq_ignore_ascii_case("jar")) {
            return Err(CodeError::Kind(path));
        }
        self.once(vec![path.clone()], |into| archive::unpack(&path, into, LARGEST).map_err(|why| CodeError::Archive { path, why }))
    }

    /// The folder that `make` fills the first time that it is asked for `key`.
    fn once(&self, key: Vec<PathBuf>, make: impl FnOnce(&Path) -> Result<(), CodeError>) -> Result<PathBuf, CodeError> {
        // Nothing panics while it holds the lock; even then the map would be consistent.
        let mut done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(folder) = done.get(&key) {
            return Ok(folder.clone());
        }
        let folder = self.unpacked.join(done.len().to_string());
        std::fs::create_dir_all(&folder).map_err(|why| CodeError::Io { path: folder.clone(), why })?;
        make(&folder)?;
        let folder = absolute(&folder)?;
        done.insert(key, folder.clone());
        Ok(folder)
    }

    /// How large code and layers are; binaries of this project are built with what only a profiler
    /// needs, and are not counted.
    fn size(&self, code: &Code, opt: Option<&Path>, declared: &blueprint::Code) -> u64 {
        let own = Some(code.task_root()).filter(|_| !matches!(declared, blueprint::Code::Binary(_) | blueprint::Code::Missing));
        // Nothing panics while it holds the lock; even then the map would be consistent.
        let mut sizes = self.sizes.lock().unwrap_or_else(PoisonError::into_inner);
        own.into_iter().chain(opt).map(|folder| *sizes.entry(folder.to_owned()).or_insert_with(|| layers::size(folder, LARGEST))).sum()
    }

    /// What the function finds at `/opt`; a layer that is not there is a notice.
    fn opt(&self, function: &blueprint::Function, notices: &mut Vec<String>) -> Result<Option<PathBuf>, CodeError> {
        let mut folders = Vec::new();
        for layer in &function.layers {
            match layer {
                blueprint::Layer::Path(path) => folders.push(self.folder(path)?),
                blueprint::Layer::Arn(arn) => match self.layers.get(arn) {
                    Some(path) if path.exists() => folders.push(self.unpack(absolute(path)?)?),
                    Some(path) => return Err(CodeError::Missing(path.clone())),
                    None => notices.push(format!(
                        "function `{}` runs without the layer `{arn}`; name its folder or `.zip` under `[stack.layers]`",
                        function.name
                    )),
                },
            }
        }
        match folders.as_slice() {
            [] => Ok(None),
            [only] => Ok(Some(only.clone())),
            _ => self
                .once(folders.clone(), |into| {
                    let failed = |path: &Path, why| CodeError::Io { path: path.to_owned(), why };
                    folders.iter().try_for_each(|layer| layers::cover(layer, into).map_err(|why| failed(layer, why)))
                })
                .map(Some),
        }
    }
}

fn absolute(path: &Path) -> Result<PathBuf, CodeError> {
    std::fs::canonicalize(path).map_err(|why| CodeError::Io { path: path.to_owned(), why })
}

#[cfg(test)]
mod tests;
