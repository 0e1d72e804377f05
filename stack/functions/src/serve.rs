//! How each function's program starts and runs: it points itself at the extension, reads its
//! settings and makes its clients once, then answers events. It contains no logic of its own.

use crate::clients::{self, Patience};
use crate::settings::{self, SettingsError};
use aws_config::SdkConfig;
use lambda_runtime::{Context, Diagnostic, Error, LambdaEvent, service_fn};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::fmt::Debug;

/// The name of a function's program, and what it does until its environment ends.
pub type Program = (&'static str, fn() -> Result<(), Error>);

/// Serves a function until its environment ends. `read` reads its settings from a lookup of
/// variables, `make` builds it from them with clients of that patience, and `answer` answers one
/// event.
///
/// # Errors
/// If a setting is missing, the function cannot be built, or the Runtime API is gone.
pub fn serve<S, F, E, X>(
    patience: Patience,
    read: impl FnOnce(fn(&str) -> Option<String>) -> Result<S, SettingsError>,
    make: impl AsyncFnOnce(S, &SdkConfig) -> Result<F, Error>,
    answer: impl AsyncFn(&F, E, Context) -> Result<Value, X>,
) -> Result<(), Error>
where
    E: DeserializeOwned,
    X: Into<Diagnostic> + Debug,
{
    // This must come first: it replaces the process, which would end all other threads.
    brownout_in_process::point_at_extension();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let settings = read(settings::from_environment)?;
        let (function, answer) = (&make(settings, &clients::load(patience).await).await?, &answer);
        lambda_runtime::run(service_fn(async move |event: LambdaEvent<E>| {
            let (payload, context) = event.into_parts();
            answer(function, payload, context).await
        }))
        .await
    })
}
