//! What is sent to the clinic.

pub(crate) mod journeys;
pub(crate) mod stock;
