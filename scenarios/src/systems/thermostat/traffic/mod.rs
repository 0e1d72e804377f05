//! The traffic to the thermostats, and the devices that follow it.

pub(crate) mod board;
pub(crate) mod convergence;
pub(crate) mod device;
pub(crate) mod devices;
pub(crate) mod journeys;
pub(crate) mod shadows;
pub(crate) mod words;
