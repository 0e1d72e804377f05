//! The programs of the stack, built first where this command runs from its own workspace.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use scenarios::systems;
use stack::artifacts::Artifacts;

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
    let programs: Vec<_> = systems::ALL.into_iter().flat_map(|system| system.programs()).collect();
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
    let ours = workspace.join("extension/layer/wrapper").is_file() && folder.file_name()? == "release" && folder.starts_with(&workspace);
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
