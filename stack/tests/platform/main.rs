//! The platform with real child processes: this test binary is also the runtime and the extension, started through a script.

mod child;
mod environments;
mod gateway;
mod support;
mod wire;
