//! Cargo, rustc and a linker that build programs for Lambda. The main build's folder must stay
//! untouched: everything goes below `target/layer`.

use std::collections::BTreeSet;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use clap::ValueEnum;
use serde_json::Value;

use super::elf::{self, Glibc};
use crate::cli::layer::LayerBuild;

/// A processor architecture of Lambda.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Arch {
    /// 64-bit Intel and AMD.
    #[value(name = "x86_64")]
    X86,
    /// Graviton.
    #[value(name = "arm64")]
    Arm,
}

impl Arch {
    /// Lambda's name for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::X86 => "x86_64",
            Self::Arm => "arm64",
        }
    }

    /// Rust's name for it.
    fn rust(self) -> &'static str {
        match self {
            Self::X86 => "x86_64",
            Self::Arm => "aarch64",
        }
    }

    fn machine(self) -> u16 {
        match self {
            Self::X86 => object::elf::EM_X86_64,
            Self::Arm => object::elf::EM_AARCH64,
        }
    }
}

/// What was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Linker {
    /// Zig where cargo-zigbuild is found, else static
    Auto,
    /// Zig by cargo-zigbuild, against the oldest glibc (`pip install cargo-zigbuild` brings both)
    Zig,
    /// The system's C compiler, with its glibc inside the programs; for this machine's own processor only
    Static,
}

/// How programs are linked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    /// Dynamically, against the symbols of the oldest glibc.
    Zig,
    /// With the system's glibc inside.
    Static,
}

impl Link {
    /// A sentence for the output.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Zig => "by zig (cargo-zigbuild), against the oldest glibc that must do",
            Self::Static => "by the system's C compiler, glibc inside: larger, and no other tool is needed",
        }
    }
}

/// Everything that a build needs.
#[derive(Debug)]
pub struct Toolchain {
    /// The processor.
    pub arch: Arch,
    /// The oldest glibc that the programs must run on.
    pub glibc: Glibc,
    /// How programs are linked.
    pub link: Link,
    /// Brownout's sources.
    pub workspace: PathBuf,
    /// Such as `1.95.0`.
    pub rust_version: String,
    rustc: PathBuf,
    cargo: PathBuf,
}

/// A built program.
#[derive(Debug)]
pub struct Built {
    /// Its name.
    pub name: String,
    /// The crate it belongs to.
    pub package: String,
    /// Its content.
    pub bytes: Vec<u8>,
    /// The newest glibc it needs; `None` if it needs none.
    pub needs: Option<Glibc>,
    /// Cargo's ids of the crates that are linked in.
    pub linked: BTreeSet<String>,
}

/// The crate that contains a program with this name.
pub fn package_of(metadata: &Value, program: &str) -> Option<String> {
    let has = |package: &&Value| {
        package["targets"]
            .as_array()
            .into_iter()
            .flatten()
            .any(|target| target["name"] == program && target.pointer("/kind/0").is_some_and(|kind| kind == "bin"))
    };
    metadata["packages"].as_array()?.iter().find(has)?["name"].as_str().map(str::to_owned)
}

impl Toolchain {
    /// Looks for what the build needs.
    ///
    /// # Errors
    /// If rustc has no standard library for the processor, or no linker here supports it; each
    /// error names a fix.
    pub fn find(arguments: &LayerBuild, workspace: &Path) -> Result<Self, Box<dyn Error>> {
        let variable = |name: &str, otherwise: &str| std::env::var_os(name).map_or_else(|| PathBuf::from(otherwise), PathBuf::from);
        let rustc = arguments.rustc.clone().unwrap_or_else(|| variable("RUSTC", "rustc"));
        let rustc = if rustc.is_relative() && rustc.components().count() > 1 { std::env::current_dir()?.join(rustc) } else { rustc };
        let mut toolchain = Self {
            arch: arguments.arch,
            glibc: arguments.glibc,
            link: Link::Static,
            workspace: workspace.to_owned(),
            rust_version: String::new(),
            rustc,
            cargo: variable("CARGO", "cargo"),
        };
        let told = toolchain.ask_rustc(&["-vV"])?;
        let line = |key: &str| told.lines().find_map(|line| line.strip_prefix(key)).unwrap_or_default().to_owned();
        toolchain.rust_version = line("release: ");
        toolchain.has_standard_library()?;
        let here = line("host: ") == toolchain.target();
        let zig = arguments.linker != Linker::Static && runs("cargo-zigbuild");
        toolchain.link = match (arguments.linker, zig, here) {
            (Linker::Auto | Linker::Zig, true, _) => Link::Zig,
            (Linker::Auto | Linker::Static, _, true) => Link::Static,
            (Linker::Static, _, false) => {
                return Err(format!(
                    "`--linker static` links for this machine's processor only, not for {}; leave it out",
                    arguments.arch.name()
                )
                .into());
            }
            (Linker::Zig, ..) | (Linker::Auto, ..) => {
                return Err("`cargo-zigbuild` is not found; `pip install cargo-zigbuild` brings it and zig".into());
            }
        };
        Ok(toolchain)
    }

    /// Rust's name for the target.
    pub fn target(&self) -> String {
        format!("{}-unknown-linux-gnu", self.arch.rust())
    }

    fn ask_rustc(&self, arguments: &[&str]) -> Result<String, Box<dyn Error>> {
        let output = Command::new(&self.rustc).args(arguments).current_dir(&self.workspace).output();
        let output = output.map_err(|error| format!("`{}` cannot be started: {error}", self.rustc.display()))?;
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    fn has_standard_library(&self) -> Result<(), Box<dyn Error>> {
        let target = self.target();
        let folder = self.ask_rustc(&["--print", "target-libdir", "--target", &target])?;
        let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
        if files.into_iter().any(|file| file.file_name().to_string_lossy().starts_with("libstd-")) {
            return Ok(());
        }
        Err(format!(
            "`{}` has no standard library for {target}; `rustup target add {target}` brings it, or name a rustc that has one by `--rustc` \
             (docs/layer.md tells how to get one from Debian's packages)",
            self.rustc.display()
        )
        .into())
    }

    /// Cargo's metadata of the workspace and all its dependencies.
    ///
    /// # Errors
    /// If cargo fails, for example because `Cargo.lock` is out of date.
    pub fn metadata(&self) -> Result<Value, Box<dyn Error>> {
        let output = Command::new(&self.cargo)
            .args(["metadata", "--locked", "--format-version", "1", "--filter-platform", &self.target()])
            .env("RUSTC", &self.rustc)
            .current_dir(&self.workspace)
            .stderr(Stdio::inherit())
            .output()?;
        if !output.status.success() {
            return Err("cargo could not tell what the workspace is made of".into());
        }
        Ok(serde_json::from_slice(&output.stdout)?)
    }

    /// Builds one program and reads what it needs.
    ///
    /// # Errors
    /// If it cannot be built, or is not for the requested processor.
    pub fn build(&self, package: &str, name: &str) -> Result<Built, Box<dyn Error>> {
        let target = self.target();
        let mut command = match self.link {
            Link::Static => Command::new(&self.cargo),
            Link::Zig => Command::new("cargo-zigbuild"),
        };
        match self.link {
            Link::Static => command.args(["build", "--target", &target]),
            Link::Zig => command.args(["zigbuild", "--target"]).arg(format!("{target}.{}", self.glibc)),
        };
        let output = command
            .args(["--locked", "--release", "-p", package, "--bin", name, "--message-format", "json-render-diagnostics", "--target-dir"])
            .arg(self.workspace.join("target/layer"))
            .env("CARGO_ENCODED_RUSTFLAGS", self.flags().join("\u{1f}"))
            .envs(self.flags_of_c())
            .env("RUSTC", &self.rustc)
            .env_remove("RUSTFLAGS")
            .current_dir(&self.workspace)
            .stdin(Stdio::null())
            .stderr(Stdio::inherit())
            .output()
            .map_err(|error| format!("cargo cannot be started: {error}"))?;
        if !output.status.success() {
            return Err(format!("`{name}` could not be built for {target}; cargo said why above").into());
        }
        let messages: Vec<Value> =
            output.stdout.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect();
        let path = messages
            .iter()
            .find(|message| message.pointer("/target/name").is_some_and(|found| found == name))
            .and_then(|message| message["executable"].as_str());
        let path = path.ok_or_else(|| format!("cargo did not say where `{name}` is"))?;
        let bytes = std::fs::read(path)?;
        let needs = elf::glibc_needed(&bytes, self.arch.machine()).map_err(|error| format!("`{name}` was built, but {error}"))?;
        Ok(Built { name: name.to_owned(), package: package.to_owned(), bytes, needs, linked: linked(&messages, &target) })
    }

    /// Flags that keep this machine's paths out of the programs, so that two machines build the
    /// same and no path is disclosed.
    fn flags(&self) -> Vec<String> {
        let (home, cargo_home) = (home(), cargo_home());
        let sysroot = self.ask_rustc(&["--print", "sysroot"]).unwrap_or_default();
        let mut flags = vec!["-Cstrip=symbols".to_owned()];
        for (path, name) in [(home, "home"), (cargo_home, "cargo"), (PathBuf::from(sysroot), "rust"), (self.workspace.clone(), "brownout")]
        {
            if !path.as_os_str().is_empty() {
                flags.push(format!("--remap-path-prefix={}=/{name}", path.display()));
            }
        }
        if self.link == Link::Static {
            flags.push("-Ctarget-feature=+crt-static".to_owned());
        }
        flags
    }

    /// The same for crates that are partly C, where each assertion contains the file's name: the
    /// variable that the crate `cc` passes to the compiler.
    fn flags_of_c(&self) -> Option<(String, String)> {
        let name = format!("CFLAGS_{}", self.target().replace('-', "_"));
        let mut flags: Vec<_> = std::env::var(&name).or_else(|_| std::env::var("CFLAGS")).into_iter().collect();
        for (path, name) in [(cargo_home(), "cargo"), (self.workspace.clone(), "brownout")] {
            let path = path.display().to_string();
            // `cc` splits its flags at spaces and does not support quotes.
            if path.contains(char::is_whitespace) {
                return None;
            }
            flags.push(format!("-ffile-prefix-map={path}=/{name}"));
        }
        Some((name, flags.join(" ")))
    }

    /// The version of the glibc that is linked into the programs, if one is.
    pub fn static_glibc(&self) -> Option<String> {
        if self.link == Link::Zig {
            return None;
        }
        let told = Command::new("getconf").arg("GNU_LIBC_VERSION").output().ok();
        let told = told.map(|output| String::from_utf8_lossy(&output.stdout).trim().replace("glibc ", ""));
        Some(told.filter(|version| !version.is_empty()).unwrap_or_else(|| "of an unknown version".to_owned()))
    }
}

fn home() -> PathBuf {
    std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default()
}

fn cargo_home() -> PathBuf {
    std::env::var_os("CARGO_HOME").map_or_else(|| home().join(".cargo"), PathBuf::from)
}

fn runs(program: &str) -> bool {
    let status = Command::new(program).arg("--version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

/// The crates that were compiled for the target itself; build scripts and macros were compiled for
/// this machine, into another folder.
fn linked(messages: &[Value], target: &str) -> BTreeSet<String> {
    let part = format!("/{target}/release/");
    let mine = |message: &&Value| {
        message["reason"] == "compiler-artifact"
            && message.pointer("/filenames/0").and_then(serde_json::Value::as_str).is_some_and(|file| file.contains(&part))
    };
    messages.iter().filter(mine).filter_map(|message| message["package_id"].as_str()).map(str::to_owned).collect()
}
