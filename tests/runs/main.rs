//! The command as a user runs it: whole runs against local stacks, servers and stand-ins for AWS.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod account;
mod batch;
mod command;
mod containers;
mod deployed;
mod ending;
mod explore;
mod image;
mod init;
mod journeys;
mod kubernetes;
mod layer_build;
mod live;
mod load_alone;
mod load_tls;
mod load_workers;
mod otlp;
mod own_stack;
mod slurm;
mod terminal;
mod verdicts;
mod weaknesses;
mod wheel;

#[path = "../../stack/aws/tests/aws/support/automation.rs"]
#[allow(dead_code, reason = "its own tests use the rest")]
mod automation;
#[path = "deployed/child.rs"]
mod child;
#[path = "deployed/cloud.rs"]
mod cloud;
#[path = "../support/openmetrics.rs"]
mod openmetrics;
#[path = "deployed/player.rs"]
mod player;
#[path = "../support/mod.rs"]
mod support;
