//! The programs that this command starts: found in the folder that `BROWNOUT_PROGRAMS` names, or in
//! its own, where they are built first if cargo started it in its workspace.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use scenarios::systems::System;
use stack::artifacts::Artifacts;

/// The variable that names the folder of the programs, if they are not in this command's folder.
const FOLDER: &str = "BROWNOUT_PROGRAMS";

/// Finds the extension and the programs of these systems. Under `cargo run` and `cargo test` in the
/// workspace, only these are built first.
///
/// # Errors
/// If the build fails or a program is missing.
pub fn find(systems: impl IntoIterator<Item = System>) -> Result<Artifacts, Box<dyn Error>> {
    let systems: Vec<_> = systems.into_iter().collect();
    if let Some((cargo, workspace)) = workspace() {
        build(&cargo, &workspace, &programs(&systems))?;
    }
    look(systems)
}

/// The same, without building.
///
/// # Errors
/// If a program is missing.
pub fn look(systems: impl IntoIterator<Item = System>) -> Result<Artifacts, Box<dyn Error>> {
    Ok(Artifacts::in_folder(&folder()?, &programs(&systems.into_iter().collect::<Vec<_>>()))?)
}

/// Finds one program, and builds it first as [`find`] does.
///
/// # Errors
/// If the build fails or it is missing.
pub fn program(name: &str) -> Result<PathBuf, Box<dyn Error>> {
    if let Some((cargo, workspace)) = workspace() {
        build(&cargo, &workspace, &[name])?;
    }
    beside(name)
}

/// The same, without building.
///
/// # Errors
/// If it is missing.
pub fn beside(name: &str) -> Result<PathBuf, Box<dyn Error>> {
    Ok(Artifacts::in_folder(&folder()?, &[name])?.folder.join(name))
}

fn programs(systems: &[System]) -> Vec<&'static str> {
    systems.iter().flat_map(|system| system.programs()).chain([Artifacts::EXTENSION, Artifacts::NAMESPACE]).collect()
}

/// The folder that the user names.
fn named() -> Option<PathBuf> {
    std::env::var_os(FOLDER).filter(|folder| !folder.is_empty()).map(PathBuf::from)
}

/// The folder of this command.
fn own() -> std::io::Result<PathBuf> {
    Ok(std::env::current_exe()?.canonicalize()?.parent().map(Path::to_owned).unwrap_or_default())
}

/// The folder of the programs, if nothing is built.
///
/// # Errors
/// If the folder of this command is not known.
pub fn folder() -> std::io::Result<PathBuf> {
    named().map_or_else(own, Ok)
}

/// Cargo and the workspace, if cargo started this process, its binary is in that workspace's release
/// folder, and no other folder is named.
fn workspace() -> Option<(PathBuf, PathBuf)> {
    if named().is_some() {
        return None;
    }
    let folder = own().ok()?;
    let cargo = PathBuf::from(std::env::var_os("CARGO")?);
    let workspace = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR")?).canonicalize().ok()?;
    let ours = workspace.join("extension/layer/wrapper").is_file() && folder.file_name()? == "release" && folder.starts_with(&workspace);
    ours.then_some((cargo, workspace))
}

/// Selects the whole workspace, so that the same features are resolved as for this command and
/// nothing is compiled twice.
fn build(cargo: &Path, workspace: &Path, programs: &[&str]) -> Result<(), Box<dyn Error>> {
    let status = Command::new(cargo)
        .args(["build", "--release", "--workspace"])
        .args(programs.iter().flat_map(|program| ["--bin", program]))
        .current_dir(workspace)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()?;
    let names = || programs.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    if status.success() { Ok(()) } else { Err(format!("could not be built: {}", names()).into()) }
}
