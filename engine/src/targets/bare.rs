//! No stack: requests go to addresses that the file names, of an experiment to a server on this
//! machine. Nothing is started, struck or taken down.

use std::time::Duration;

use async_trait::async_trait;
use faults::{Entry, Plan};
use protocol::Left;
use run_folder::{Addresses, Health, Sighting};

use crate::target::{Target, TargetError};

/// A target that brownout knows only by its answers.
#[derive(Debug, Clone, Copy)]
pub struct Bare;

#[async_trait]
impl Target for Bare {
    async fn deploy(&mut self) -> Result<Addresses, TargetError> {
        Ok(Addresses::elsewhere(std::iter::empty()))
    }

    /// A checked experiment has no fault here, so every plan is calm.
    async fn strike(&mut self, _: &Plan) -> Result<(), TargetError> {
        Ok(())
    }

    async fn observe(&mut self) -> Result<Vec<Entry>, TargetError> {
        Ok(Vec::new())
    }

    fn sightings(&mut self) -> Result<Vec<Sighting>, TargetError> {
        Ok(Vec::new())
    }

    fn health(&mut self) -> Result<Health, TargetError> {
        Ok(Health::default())
    }

    fn ledger_lag(&self) -> Duration {
        Duration::ZERO
    }

    async fn restore(&mut self) -> Option<Left> {
        None
    }
}
