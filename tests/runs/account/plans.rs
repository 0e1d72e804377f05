//! What goes between the account and the functions: plans by SSM, ledgers by CloudWatch Logs. The
//! local extension reads a file and writes a file.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use control_plane::{Function, LogLine, Scripted};
use faults::{Entry, Plan};
use run_folder::RunFolder;

use crate::account::stand_in::LAYER;

/// How long a line takes to CloudWatch Logs.
const LATE: Duration = Duration::from_millis(700);

/// Gives the functions that have the layer the plan that their variable names. It holds the faults
/// of these functions only; without the layer there is no plan.
pub async fn hand_over(plane: Arc<Mutex<Scripted>>, folder: RunFolder) {
    let mut last = None;
    loop {
        let plan = plan(&plane.lock().unwrap());
        if plan != last {
            let text = plan.as_ref().map(|plan| serde_json::to_vec(plan).unwrap()).unwrap_or_default();
            folder.replace(&folder.plan(), &text).unwrap();
            last = plan;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn plan(scripted: &Scripted) -> Option<Plan> {
    let plane = &scripted.plane;
    let source = |function: &Function| {
        let running = &function.latest;
        let has_layer = running.layers.iter().any(|layer| layer == LAYER);
        let source = running.variables.get("BROWNOUT_PLAN").and_then(|source| source.strip_prefix("ssm:"));
        source.filter(|_| has_layer).map(|source| (running.name.clone(), source.to_owned()))
    };
    let sources: Vec<_> = plane.functions.values().filter_map(source).collect();
    let (_, parameter) = sources.first()?;
    let mut plan = Plan::read(plane.parameters.get(parameter)?.value.as_bytes()).ok()?;
    plan.faults.retain(|fault| sources.iter().any(|(name, source)| fault.place.is_function(name) && source == parameter));
    Some(plan)
}

/// Prints what the extensions write to the functions' logs. The local platform reports every
/// invocation, too; AWS's does not.
pub async fn print_ledger(plane: Arc<Mutex<Scripted>>, ledger: PathBuf) {
    let mut read = 0;
    loop {
        let text = std::fs::read_to_string(&ledger).unwrap_or_default();
        let whole = text.rfind('\n').map_or(0, |at| at + 1);
        for line in text.get(read..whole).unwrap_or_default().lines() {
            // Lines about services come from the stack here, and from nowhere at AWS.
            let Some(place) = Entry::from_line(line).and_then(|entry| function(&entry)) else { continue };
            let (plane, line) = (Arc::clone(&plane), line.to_owned());
            let at_ms = unix_ms();
            tokio::spawn(async move {
                tokio::time::sleep(LATE).await;
                plane.lock().unwrap().plane.print(&place, LogLine { at_ms, text: line + "\n" });
            });
        }
        read = whole.max(read);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// The function whose extension wrote a line.
fn function(entry: &Entry) -> Option<String> {
    match entry {
        Entry::Invoked { .. } => None,
        Entry::Decided(decided) => Some(decided.place.clone()),
        Entry::Started(started) => Some(started.place.clone()),
        Entry::ColdStart { function, .. } => Some(function.clone()),
        Entry::Note { place, .. } => Some(place.clone()),
    }
}

fn unix_ms() -> u64 {
    u64::try_from(std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis()).unwrap()
}
