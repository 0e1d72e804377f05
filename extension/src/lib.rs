//! Stands between a function's runtime and the Lambda Runtime API and carries out a fault plan.
//! Where no fault is in force it must not be possible to tell that it is there; where it fails, it fails open.
//!
//! HTTP/1 is not parsed into a message and written again: heads and bodies go on as the very bytes that came in, and only
//! as much of them is looked at as is needed to know where a message ends. So case, order and framing stay by construction.

pub mod body;
pub mod connection;
pub mod decide;
pub mod emf;
mod event;
pub mod exchange;
pub mod fail_open;
pub mod ledger;
pub mod message;
pub mod plan_sources;
pub mod proxy;
pub mod ready_file;
pub mod registration;
pub mod route;
pub mod settings;
mod strike;
pub mod upstream;
pub mod wait;

use std::sync::Arc;

use tokio::net::TcpListener;

pub use settings::Settings;

/// Why the extension ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The platform said so.
    Shutdown,
    /// The platform is no longer there.
    PlatformGone,
}

/// Runs until the platform ends it: first listens, then registers, then serves. Whatever is held or waited for is given up when the platform
/// ends or is gone: a wait has nobody left who would see it, and Lambda kills an extension that is not gone 2 s after SHUTDOWN.
pub async fn run(settings: Settings) -> End {
    let ledger = Arc::new(ledger::Ledger::new(settings.function.clone()).with_metrics(settings.metrics.clone()));
    for complaint in &settings.complaints {
        ledger.note(complaint);
    }
    // The first look at the source is begun here and waited for nowhere.
    let plans = plan_sources::start(&settings.plan, &ledger);
    let upstream = Arc::new(upstream::Upstream::new(settings.upstream.clone()));
    let ready = match TcpListener::bind(settings.listen).await {
        Ok(listener) => {
            let proxy = Arc::new(proxy::Proxy::new(upstream, plans, Arc::clone(&ledger)));
            tokio::spawn(proxy::serve(listener, proxy));
            ready_file::ReadyFile::write(&settings.temporary_folder, settings.listen)
        }
        // An extension that does not register keeps the environment from starting; the wrapper leaves the runtime alone.
        Err(error) => {
            ledger.note(&format!("cannot listen ({}): every event passes untouched", error.kind()));
            ready_file::ReadyFile::remove(&settings.temporary_folder, settings.listen);
            None
        }
    };
    let end = registration::run(&settings, &ledger).await;
    drop(ready);
    ledger.tell_all();
    end
}
