//! `brownout layer`. `build`: the extension, its scripts, its licences and its bill of materials in
//! one zip for Lambda. Every program is checked: one that needs a newer glibc than allowed fails
//! the command.

pub mod archive;
pub mod elf;
mod licences;
mod publish;
mod sbom;
pub mod toolchain;

use std::error::Error;
use std::path::{Path, PathBuf};

use archive::Entry;
use toolchain::{Arch, Built, Toolchain};

pub use publish::publish;

use crate::cli::LayerBuild;

/// Reads plans from sources that need TLS; part of the layer if the workspace has it.
const PLAN_FETCHER: &str = "brownout-plan-fetcher";

/// Where zips go, in the workspace.
const FOLDER: &str = "target/layer";

/// The permissions of programs, and of files that are only read.
const RUN: u32 = 0o755;
const READ: u32 = 0o644;

/// Builds the layer and prints what is in it and how to use it.
///
/// # Errors
/// If there is no workspace or no standard library, the build fails, or a program needs a newer
/// glibc than allowed.
pub fn build(arguments: &LayerBuild) -> Result<u8, Box<dyn Error>> {
    let workspace = workspace()?;
    let toolchain = Toolchain::find(arguments, &workspace)?;
    eprintln!("building for {}: {}", toolchain.target(), toolchain.link.sentence());
    let metadata = toolchain.metadata()?;
    let mut programs = vec![checked(&toolchain, &metadata, "brownout-extension")?];
    let has_fetcher = toolchain::package_of(&metadata, PLAN_FETCHER).is_some();
    if has_fetcher && !arguments.without_plan_fetcher {
        match checked(&toolchain, &metadata, PLAN_FETCHER) {
            Ok(fetcher) => programs.push(fetcher),
            Err(error) => {
                eprintln!("warning: left out {PLAN_FETCHER}: {}; with this layer no plan is read from SSM or S3", protocol::chain(&*error))
            }
        }
    }
    let entries = entries(&toolchain, &metadata, &programs)?;
    let zip = archive::pack(&entries)?;
    let out = arguments.out.clone().unwrap_or_else(|| workspace.join(FOLDER));
    let path = out.join(zip_of(toolchain.arch));
    let digest = archive::Digest::of(&zip);
    std::fs::create_dir_all(&out).map_err(|error| format!("`{}` cannot be made: {error}", out.display()))?;
    std::fs::write(&path, &zip).map_err(|error| format!("`{}` cannot be written: {error}", path.display()))?;
    std::fs::write(path.with_extension("zip.sha256"), digest.line(&path))?;
    tell(&toolchain, &path, &entries, &zip, &programs, &digest);
    if !programs.iter().any(|program| program.name == PLAN_FETCHER) {
        println!("\nwithout {PLAN_FETCHER}: plans come from variables, files and AppConfig's local endpoint; not from SSM or S3");
    }
    Ok(0)
}

/// The name of the zip for an architecture.
fn zip_of(arch: Arch) -> String {
    format!("brownout-layer-{}.zip", arch.name())
}

/// The workspace that cargo runs this command from, else the one around the current folder, else
/// the one it was built in.
fn workspace() -> Result<PathBuf, Box<dyn Error>> {
    let named = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let here = std::env::current_dir().ok();
    let ours = std::env::current_exe().ok();
    let candidates = [named, here, ours];
    let mut folders = candidates.iter().flatten().flat_map(|path| path.ancestors());
    let found = folders.find(|folder| folder.join("extension/layer/wrapper").is_file() && folder.join("Cargo.lock").is_file());
    let Some(found) = found else {
        return Err(
            "the layer is built from brownout's sources, and they are neither here nor around this program; run it in their folder".into(),
        );
    };
    Ok(found.to_owned())
}

fn checked(toolchain: &Toolchain, metadata: &serde_json::Value, name: &str) -> Result<Built, Box<dyn Error>> {
    let package = toolchain::package_of(metadata, name).ok_or_else(|| format!("no crate of this workspace has the program `{name}`"))?;
    let built = toolchain.build(&package, name)?;
    if let Some(needs) = built.needs.filter(|needs| *needs > toolchain.glibc) {
        return Err(format!(
            "`{name}` needs glibc {needs}, and {} is the oldest that must do; link it by zig (`pip install cargo-zigbuild`) or by `--linker static`",
            toolchain.glibc
        )
        .into());
    }
    Ok(built)
}

fn entries(toolchain: &Toolchain, metadata: &serde_json::Value, programs: &[Built]) -> Result<Vec<Entry>, Box<dyn Error>> {
    let read = |path: &str| {
        let path = toolchain.workspace.join(path);
        std::fs::read(&path).map_err(|error| format!("`{}` cannot be read: {error}", path.display()))
    };
    let crates = sbom::crates(metadata, programs);
    let mut entries = vec![
        Entry::new("brownout/wrapper", RUN, read("extension/layer/wrapper")?),
        Entry::new("brownout/LICENSE-APACHE", READ, read("LICENSE-APACHE")?),
        Entry::new("brownout/LICENSE-MIT", READ, read("LICENSE-MIT")?),
        Entry::new("brownout/THIRD-PARTY.txt", READ, licences::text(&crates, toolchain.static_glibc().as_deref()).into_bytes()),
        Entry::new("brownout/sbom.cdx.json", READ, sbom::text(&crates, programs, toolchain)?.into_bytes()),
    ];
    for program in programs {
        // Lambda starts every file in `extensions`, and one that does not register prevents the
        // function from starting.
        let folder = if program.name == PLAN_FETCHER { "brownout" } else { "extensions" };
        entries.push(Entry::new(&format!("{folder}/{}", program.name), RUN, program.bytes.clone()));
    }
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(entries)
}

fn tell(toolchain: &Toolchain, path: &Path, entries: &[Entry], zip: &[u8], programs: &[Built], digest: &archive::Digest) {
    let size = |bytes: usize| format!("{:.1} KB", bytes as f64 / 1000.0);
    println!("{}", path.display());
    println!("\n{:<34} {:>11}  mode", "in /opt", "size");
    for entry in entries {
        println!("{:<34} {:>11}  {:04o}", entry.name, size(entry.bytes.len()), entry.mode);
    }
    println!("{:<34} {:>11}", "zip", size(zip.len()));
    println!("\nlinked      {}", toolchain.link.sentence());
    for program in programs {
        let needs = program.needs.map_or_else(|| "no glibc".to_owned(), |needs| format!("glibc {needs} or newer"));
        println!("needs       {needs} ({})", program.name);
    }
    println!("sha256      {}", digest.hex());
    println!("CodeSha256  {}", digest.base64());
    let from = path.parent().unwrap_or(path).display();
    println!(
        "\nNext, with the credentials of the functions' account:\n  brownout layer publish --from {from} --region <the functions' Region>"
    );
    println!("How functions get it: docs/layer.md");
}
