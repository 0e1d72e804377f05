//! The parts of the execution environment that faults act on, besides events and answers: its
//! start, its resources and its outgoing calls.

use std::sync::Arc;

use crate::outbound::Outbound;
use crate::resource_pressure::ResourcePressures;
use crate::settings::Settings;
use crate::start::EnvironmentStart;

/// The execution environment of the function.
#[derive(Debug)]
pub struct Environment {
    pub(crate) start: EnvironmentStart,
    pub(crate) pressures: ResourcePressures,
    pub(crate) outbound: Option<Arc<Outbound>>,
}

impl Environment {
    /// The environment that the settings describe.
    pub fn new(settings: &Settings, outbound: Option<Arc<Outbound>>) -> Self {
        let pressures = ResourcePressures::new(settings.temporary_folder.clone(), settings.function_memory);
        Self { start: EnvironmentStart::of(settings.environment.clone()), pressures, outbound }
    }
}
