//! A proxy between a function's runtime and the Lambda Runtime API that carries out a fault plan.
//! Without a fault in force it must not be possible to tell that it is there; if it fails, it fails open.
//!
//! HTTP/1 messages are not parsed and written again: heads and bodies are passed on as the same
//! bytes, and are read only as far as needed to know where a message ends. So case, order and
//! framing do not change.

pub mod body;
pub mod connection;
mod decide;
pub mod emf;
mod environment;
mod event;
pub mod exchange;
pub mod fail_open;
mod head;
pub mod headroom;
mod inject;
mod invocation;
mod ledger;
pub mod load_process;
mod lock;
pub mod message;
mod outbound;
mod parked;
pub mod plan_sources;
mod platform;
mod proxy;
pub mod ready_file;
pub mod registration;
mod resource_pressure;
pub mod route;
mod running;
pub mod runtime_process;
pub mod settings;
mod start;
mod stdout;
pub mod upstream;
pub mod wait;
mod while_running;

use std::sync::Arc;

use tokio::net::TcpListener;

pub use registration::End;
pub use settings::Settings;

/// Runs until the platform ends it: first listens, then registers, then serves. Waits are cancelled
/// when the platform ends or disappears: no caller would see their end, and Lambda kills an
/// extension that still runs 2 s after SHUTDOWN.
pub async fn run(settings: Settings) -> End {
    let ledger = Arc::new(ledger::Ledger::new(settings.function.clone()).with_metrics(settings.metrics.clone()));
    for complaint in &settings.complaints {
        ledger.note(complaint);
    }
    // Starts the first look at the source without waiting for it.
    let plans = plan_sources::start(&settings.plan, &ledger);
    let upstream = Arc::new(upstream::Upstream::new(settings.upstream.clone()));
    let ready = match TcpListener::bind(settings.listen).await {
        Ok(listener) => {
            let outbound = if settings.outbound { outbound::start(&function_variables(), &near(&settings), &ledger).await } else { None };
            let variables = outbound.as_ref().map(|outbound| outbound.variables.clone()).unwrap_or_default();
            let environment = environment::Environment::new(&settings, outbound);
            let proxy = Arc::new(proxy::Proxy::new(upstream, plans, Arc::clone(&ledger), environment));
            tokio::spawn(proxy::serve(listener, Arc::clone(&proxy)));
            let ready = ready_file::ReadyFile::write(&settings.temporary_folder, settings.listen, &variables);
            if let Err(error) = &ready {
                ledger.note(&format!(
                    "the ready file cannot be written ({}): no runtime is pointed at the extension and every event passes untouched",
                    error.kind()
                ));
            }
            Some((ready, proxy))
        }
        // An extension that does not register prevents the environment from starting. Without a
        // ready file, the wrapper does not touch the runtime.
        Err(error) => {
            ledger.note(&format!("cannot listen ({}): every event passes untouched", error.kind()));
            ready_file::ReadyFile::remove(&settings.temporary_folder, settings.listen);
            None
        }
    };
    let end = registration::run(&settings, &ledger).await;
    if let Some((_, proxy)) = &ready {
        proxy.tell_start();
    }
    drop(ready);
    ledger.tell_all();
    end
}

/// The variables of the function, which the extension has as well.
fn function_variables() -> Vec<(String, String)> {
    let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| Some((name.into_string().ok()?, value.into_string().ok()?));
    std::env::vars_os().filter_map(text).collect()
}

/// The hosts of the Runtime API, the extension's and the platform's: calls to them must bypass the
/// proxy.
fn near(settings: &Settings) -> Vec<String> {
    let platform = settings.platform.rsplit_once(':').map_or(settings.platform.as_str(), |(host, _)| host);
    vec![settings.listen.ip().to_string(), platform.to_owned()]
}
