//! `brownout layer`: its arguments.

use std::path::PathBuf;

use clap::Subcommand;

use crate::layer::elf::Glibc;
use crate::layer::toolchain::{Arch, Linker};

/// `brownout layer`
#[derive(Debug, Subcommand)]
pub enum Layer {
    /// Build the layer's zip from this workspace, check what it needs, print its digest and how to publish it
    Build(LayerBuild),
    /// Publish the zips that were built as versions of the account's layer, and print the lines for experiments
    Publish(LayerPublish),
}

/// `brownout layer build`
#[derive(Debug, clap::Args)]
pub struct LayerBuild {
    /// The processor of the functions
    #[arg(long, value_enum, default_value = "x86_64")]
    pub arch: Arch,
    /// Where the zip goes [default: target/layer of the workspace]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// The oldest glibc that must do; 2.26 is Amazon Linux 2
    #[arg(long, value_name = "VERSION", default_value = "2.26")]
    pub glibc: Glibc,
    /// How programs are linked
    #[arg(long, value_enum, default_value = "auto")]
    pub linker: Linker,
    /// Another rustc, such as one with a standard library for arm64 [default: $RUSTC, rustc]
    #[arg(long, value_name = "PATH")]
    pub rustc: Option<PathBuf>,
    /// Leave out what reads plans from SSM and S3, which is most of the layer's size and of the time to build it
    #[arg(long)]
    pub without_plan_fetcher: bool,
}

/// `brownout layer publish`
#[derive(Debug, clap::Args)]
pub struct LayerPublish {
    /// The processors of the functions, once for each [default: all whose zip was built]
    #[arg(long, value_enum)]
    pub arch: Vec<Arch>,
    /// The folder of the zips, as `--out` of `layer build` [default: target/layer of the workspace]
    #[arg(long, value_name = "DIR")]
    pub from: Option<PathBuf>,
    /// The layer's name; a stack's look-up finds `brownout`
    #[arg(long, value_name = "NAME", default_value = protocol::LAYER)]
    pub name: String,
    /// AWS Region of the functions [default: what the AWS SDK finds]
    #[arg(long, value_name = "REGION")]
    pub region: Option<String>,
}
