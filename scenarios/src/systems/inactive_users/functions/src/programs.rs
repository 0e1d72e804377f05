//! The entry points of the functions. They contain no logic.

use functions::clock::Deadline;
use functions::serve::{Program, serve};
use lambda_runtime::Error;
use serde_json::Value;

use crate::{patience, prune_users, record_sign_in};

/// Each by the name of its program.
pub const PROGRAMS: [Program; 2] = [("prune-users", prune_users), ("record-sign-in", record_sign_in)];

/// `prune-users`.
///
/// # Errors
/// As [`serve`].
pub fn prune_users() -> Result<(), Error> {
    serve(
        patience::PRUNE_USERS,
        |lookup| prune_users::Settings::read(lookup),
        async |settings, config| Ok(prune_users::PruneUsers::new(settings, config)),
        async |function, event: Value, context| function.answer(event, Deadline::of(&context)).await.map_err(Error::from),
    )
}

/// `record-sign-in`.
///
/// # Errors
/// As [`serve`].
pub fn record_sign_in() -> Result<(), Error> {
    serve(
        patience::RECORD_SIGN_IN,
        |lookup| record_sign_in::Settings::read(lookup),
        async |settings, config| Ok(record_sign_in::RecordSignIn::new(settings, config)),
        async |function, event: Value, context| {
            function.answer(event, context.xray_trace_id.as_deref(), Deadline::of(&context)).await.map_err(Error::from)
        },
    )
}
