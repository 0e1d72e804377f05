//! The platform with real child processes: this test binary is also the runtime and the extension, started through a script.

mod asynchronous;
mod child;
mod environments;
mod environments_folders;
mod environments_logs;
mod gateway;
mod gateway_authorizers;
mod gateway_http;
mod gateway_rest;
mod gateway_urls;
mod mappings;
pub mod runtimes;
mod runtimes_code;
pub mod support;
mod triggers;
pub mod wire;
