//! The programs of the stack, built first where this command runs from its own workspace.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use engine::check::faults::FUNCTIONS;
use engine::file::System;
use stack::artifacts::Artifacts;
use stack::world::users_api;

/// Finds the programs beside this command; under `cargo run` and `cargo test` in the workspace they are built before.
///
/// # Errors
/// Where the build fails or a program is missing.
pub fn find() -> Result<Artifacts, Box<dyn Error>> {
    if let Some((cargo, workspace)) = workspace(&folder()?) {
        build(&cargo, &workspace)?;
    }
    look()
}

/// Finds the programs beside this command, and builds nothing.
///
/// # Errors
/// Where one is missing.
pub fn look() -> Result<Artifacts, Box<dyn Error>> {
    // Every function is a program of its own name, but for the shapes of the users API, which are one.
    let programs = FUNCTIONS.map(|(name, system, _)| if system == System::UsersApi { users_api::PROGRAM } else { name });
    Ok(Artifacts::in_folder(&folder()?, &programs)?)
}

/// The folder of this command.
fn folder() -> std::io::Result<PathBuf> {
    Ok(std::env::current_exe()?.canonicalize()?.parent().map(Path::to_owned).unwrap_or_default())
}

/// Cargo and the workspace, where cargo started us and our own binary lies in that workspace's release folder.
fn workspace(folder: &Path) -> Option<(PathBuf, PathBuf)> {
    let cargo = PathBuf::from(std::env::var_os("CARGO")?);
    let workspace = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR")?).canonicalize().ok()?;
    let ours = workspace.join("stack/template.yaml").is_file() && folder.file_name()? == "release" && folder.starts_with(&workspace);
    ours.then_some((cargo, workspace))
}

fn build(cargo: &Path, workspace: &Path) -> Result<(), Box<dyn Error>> {
    let status = Command::new(cargo)
        .args(["build", "--release", "--workspace", "--bins"])
        .current_dir(workspace)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()?;
    if status.success() { Ok(()) } else { Err("the functions and the extension could not be built".into()) }
}
