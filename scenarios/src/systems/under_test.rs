//! What a system's folder says of it that no experiment changes.

use std::ops::Range;

use faults::Trigger;
use reports::measurements::Deployment;
use run_folder::Addresses;

/// What a system is, whatever is sent to it.
pub trait UnderTest: Sync {
    /// Its name in experiments and on the command line.
    fn name(&self) -> &'static str;
    /// Its SAM template.
    fn template(&self) -> &'static str;
    /// Its functions by name, and what invokes each.
    fn functions(&self) -> &'static [(&'static str, Trigger)];
    /// The programs that its functions are.
    fn programs(&self) -> Vec<&'static str> {
        self.functions().iter().map(|(name, _)| *name).collect()
    }
    /// The endpoints that its load is recorded under, with the requests that an arrival makes to each on average. What has no rate of its own counts
    /// once an arrival.
    fn endpoints(&self) -> Vec<(&'static str, f64)>;
    /// The numbers of its schedules, which keep its arrivals and trace ids apart from those of other systems; below 100.
    fn numbers(&self) -> Range<u64>;
    /// Name and text of each experiment on it alone, in its folder's `experiments`.
    fn experiments(&self) -> &'static [(&'static str, &'static str)] {
        &[]
    }
    /// The weaknesses of its published form.
    fn weaknesses(&self) -> &'static [Weakness] {
        &[]
    }
    /// Commands with which a person tries it, where it is up at these addresses.
    fn example(&self, _addresses: &Addresses) -> Option<String> {
        None
    }
    /// Deployments of one API that a report compares; most systems have none.
    fn compared(&self) -> Vec<Deployment> {
        Vec::new()
    }
}

/// A weakness of a system's published form.
#[derive(Debug, Clone, Copy)]
pub struct Weakness {
    /// Its name, unique among all systems.
    pub name: &'static str,
    /// How it is switched on.
    pub how: How,
}

/// How a weakness is switched on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// Its name is in this parameter of the template, which functions get as `WEAKNESSES`.
    Named(&'static str),
    /// This parameter of the template has this value.
    Set(&'static str, &'static str),
    /// This state machine neither retries nor catches these errors.
    Unhandled(&'static str, &'static [&'static str]),
    /// The system's devices have it, which are the harness's own.
    Device,
}

/// Name and text of each of these experiments, which are in the folder `experiments` beside the file.
macro_rules! experiments {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("experiments/", $name, ".toml")))),*]
    };
}
pub(super) use experiments;
