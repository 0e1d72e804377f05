//! The entry points of the functions. They contain no logic.

use functions::serve::{Program, serve};
use lambda_runtime::Error;
use serde_json::Value;

use crate::{appointments, authorizer, patience};

/// Each by the name of its program.
pub const PROGRAMS: [Program; 2] = [("appointments", appointments), ("authorizer", authorizer)];

/// `appointments`.
///
/// # Errors
/// As [`serve`].
pub fn appointments() -> Result<(), Error> {
    serve(
        patience::APPOINTMENTS,
        |lookup| appointments::Settings::read(lookup),
        async |settings, config| Ok(appointments::Appointments::new(settings, config)),
        async |function, event: Value, _| Ok::<_, Error>(function.answer(event).await),
    )
}

/// `authorizer`.
///
/// # Errors
/// As [`serve`].
pub fn authorizer() -> Result<(), Error> {
    serve(
        patience::AUTHORIZER,
        |lookup| authorizer::Settings::read(lookup),
        async |settings, config| Ok(authorizer::Authorizer::new(settings, config).await?),
        async |function, event: Value, _| function.answer(event).await.map_err(Error::from),
    )
}
