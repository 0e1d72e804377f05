//! The processes, outages and tasks of one invocation while its handler runs. All of them end with
//! the handler's answer, or with the runtime's process; none may outlive the invocation.

use tokio::task::{AbortHandle, JoinHandle};

use crate::outbound::outages::OutageGuard;
use crate::resource_pressure::LoadProcess;

/// The processes, outages and tasks of one invocation. Any that are left end on drop.
#[derive(Debug, Default)]
pub struct Running {
    /// Each with its fault's index in the invocation.
    loads: Vec<(usize, LoadProcess)>,
    outages: Vec<(usize, OutageGuard)>,
    tasks: Vec<Task>,
}

/// A task that is stopped on drop.
#[derive(Debug)]
struct Task(AbortHandle);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Running {
    /// Adds a process that uses up resources for the fault at index `at`.
    pub(crate) fn add_load(&mut self, at: usize, load: LoadProcess) {
        self.loads.push((at, load));
    }

    /// Adds an outage for the fault at index `at`.
    pub(crate) fn add_outage(&mut self, at: usize, outage: OutageGuard) {
        self.outages.push((at, outage));
    }

    /// Stops `task` with the invocation.
    pub(crate) fn add_task(&mut self, task: &JoinHandle<()>) {
        self.tasks.push(Task(task.abort_handle()));
    }

    /// Takes out what runs for the faults at these indices, without the tasks.
    pub(crate) fn take(&mut self, is_it: impl Fn(usize) -> bool) -> Self {
        let (loads, outages);
        (loads, self.loads) = std::mem::take(&mut self.loads).into_iter().partition(|(at, _)| is_it(*at));
        (outages, self.outages) = std::mem::take(&mut self.outages).into_iter().partition(|(at, _)| is_it(*at));
        Self { loads, outages, tasks: Vec::new() }
    }

    /// Ends all of it; when this returns, everything is released.
    pub(crate) async fn end(self) {
        drop(self.tasks);
        drop(self.outages);
        for (_, load) in self.loads {
            load.end().await;
        }
    }
}
