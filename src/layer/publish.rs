//! `brownout layer publish`: the zips that `layer build` wrote, checked by their digests, become versions of the account's layer.

use std::error::Error;
use std::path::{Path, PathBuf};

use clap::ValueEnum as _;
use protocol::{LayerZip, Publish, Task};

use super::archive::Digest;
use super::toolchain::Arch;
use super::{FOLDER, workspace, zip_of};
use crate::artifacts;
use crate::aws_program;
use crate::cli::LayerPublish;

/// Publishes, and prints the lines for experiments.
///
/// # Errors
/// If a zip is missing or is not what was built, or the program that calls AWS is missing.
pub fn publish(arguments: &LayerPublish) -> Result<u8, Box<dyn Error>> {
    let folder = arguments.from.clone().map_or_else(usual, Ok)?;
    let is_built = |arch: &&Arch| folder.join(zip_of(**arch)).is_file();
    let mut wanted = arguments.arch.clone();
    if wanted.is_empty() {
        wanted = Arch::value_variants().iter().filter(is_built).copied().collect();
    }
    wanted.sort_unstable();
    wanted.dedup();
    if wanted.is_empty() {
        return Err(format!(
            "no layer was built in `{}`; `brownout layer build` makes one, or name its folder with `--from`",
            folder.display()
        )
        .into());
    }
    let zips = wanted.into_iter().map(|arch| zip(&folder, arch)).collect::<Result<_, _>>()?;
    aws_program::carry_out(&Task::Publish(Publish { name: arguments.name.clone(), region: arguments.region.clone(), zips }))
}

/// Where `layer build` writes; of an installed command its own folder, which a package fills.
fn usual() -> Result<PathBuf, Box<dyn Error>> {
    let own = artifacts::folder()?;
    let is_packed = Arch::value_variants().iter().any(|arch| own.join(zip_of(*arch)).is_file());
    if is_packed { Ok(own) } else { Ok(workspace()?.join(FOLDER)) }
}

/// The zip for an architecture, if it still is what was built.
fn zip(folder: &Path, arch: Arch) -> Result<LayerZip, String> {
    let path = folder.join(zip_of(arch));
    let again = format!("build it with `brownout layer build --arch {}`", arch.name());
    let bytes = std::fs::read(&path).map_err(|error| format!("`{}` cannot be read: {error}; {again}", path.display()))?;
    let digest = Digest::of(&bytes);
    let beside = path.with_extension("zip.sha256");
    let line = std::fs::read_to_string(&beside).map_err(|error| format!("`{}` cannot be read: {error}; {again}", beside.display()))?;
    if line.split_whitespace().next() != Some(digest.hex().as_str()) {
        return Err(format!(
            "`{}` is not what was built: its SHA-256 is `{}`, and `{}` says otherwise; {again}",
            path.display(),
            digest.hex(),
            beside.display()
        ));
    }
    // The other program reads it by itself, perhaps in another folder.
    let path = std::path::absolute(&path).map_err(|error| format!("`{}`: {error}", path.display()))?;
    Ok(LayerZip { path, architecture: arch.name().to_owned(), code_sha: digest.base64() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_zip_that_is_what_was_built_is_published() {
        let folder = tempfile::tempdir().unwrap();
        let (path, beside) = (folder.path().join("brownout-layer-arm64.zip"), folder.path().join("brownout-layer-arm64.zip.sha256"));
        let error = || zip(folder.path(), Arch::Arm).unwrap_err();
        assert!(error().contains("brownout layer build --arch arm64"), "{}", error());
        std::fs::write(&path, "abc").unwrap();
        assert!(error().contains(".sha256` cannot be read"), "{}", error());
        std::fs::write(&beside, Digest::of(b"abd").line(&path)).unwrap();
        assert!(error().contains("is not what was built"), "{}", error());
        std::fs::write(&beside, Digest::of(b"abc").line(&path)).unwrap();
        let found = zip(folder.path(), Arch::Arm).unwrap();
        assert_eq!((found.architecture.as_str(), found.code_sha.as_str()), ("arm64", "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0="));
        assert!(found.path.is_absolute());
    }
}
