//! What every target must do: one set of tests, and a row for each target.

use std::path::Path;
use std::time::Duration;

use faults::{Entry, Lease, Plan};
use protocol::{Observed, Restored, Run, Via};
use run_folder::{Addresses, RunFolder};

use super::bare::Bare;
use super::local::{Launch, Local};
use super::remote::Remote;
use super::stand_in::program;
use crate::target::Target;

const ORDERS: &str = include_str!("../../../docs/examples/orders.toml");

/// Whether the target has a ledger.
#[derive(Clone, Copy, PartialEq)]
enum Ledger {
    /// Its extensions and services write one.
    Kept,
    /// Nothing can be struck there.
    None,
}

fn calm(sequence: u64) -> Plan {
    Plan {
        version: faults::plan::VERSION,
        run: "run".into(),
        sequence,
        lease_ms: Lease::LONGEST,
        until_ms: None,
        seed: 7,
        faults: Vec::new(),
    }
}

/// The entry that each target's stand-in reports.
fn entry() -> Entry {
    Entry::ColdStart { function: "orders".into(), request_id: "r".into(), root: None }
}

async fn conforms(name: &str, target: &mut dyn Target, ledger: Ledger) {
    target.deploy().await.unwrap_or_else(|error| panic!("{name}: {error}"));
    // Before a strike there are no entries.
    assert_eq!(target.observe().await.unwrap(), [], "{name}");
    assert_eq!((target.gaps(), target.ended()), (Vec::new(), None), "{name}");
    assert_eq!(target.sightings().unwrap(), [], "{name}");
    target.health().unwrap();
    assert!(target.lead() >= crate::target::LEAD || !target.rehearses(), "{name}: a plan takes time to be read");
    for sequence in 1..=3 {
        target.strike(&calm(sequence)).await.unwrap_or_else(|error| panic!("{name}: plan {sequence}: {error}"));
    }
    // Every entry of the ledgers comes, and comes once.
    let mut told = Vec::new();
    while ledger == Ledger::Kept && told.is_empty() {
        told.extend(target.observe().await.unwrap());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    told.extend(target.observe().await.unwrap());
    assert_eq!(told, if ledger == Ledger::Kept { vec![entry()] } else { Vec::new() }, "{name}");
    assert_eq!(target.restore().await, None, "{name}: something is left");
    // A second restore finds nothing to do, and the sentences for the report come only once.
    assert_eq!(target.restore().await, None, "{name}: restored twice");
    target.story();
    assert_eq!(target.story(), Vec::<String>::new(), "{name}");
}

/// A stack that is up at once, reports one invocation as soon as there is a plan, and stops on
/// request.
fn stack(folder: &Path) -> String {
    let addresses = serde_json::to_string(&Addresses::elsewhere(std::iter::once("orders"))).unwrap();
    format!(
        "cd '{}'; echo '{addresses}' > stack.json; until [ -e plan.json ]; do sleep 0.01; done; echo '{}' >> ledger.ndjson; read stop",
        folder.display(),
        entry().to_line().trim_end()
    )
}

/// A `brownout-aws` whose account reports one invocation as soon as there is a plan.
fn account() -> String {
    let line = |answer: &protocol::Answer| protocol::to_line(answer).unwrap().trim_end().to_owned();
    let observed = |entries| line(&protocol::Answer::Observed(Observed { entries, ..Observed::default() }));
    let (done, restored) = (line(&protocol::Answer::Done), line(&protocol::Answer::Restored(Restored::default())));
    let (nothing, told) = (observed(Vec::new()), observed(vec![entry()]));
    format!(
        "told='{nothing}'; while read -r line; do case \"$line\" in \
         '\"observe\"') echo \"$told\"; told='{nothing}';; \
         '{{\"strike\"'*'\"sequence\":1,'*) told='{told}'; echo '{done}';; \
         *) echo '{done}';; esac; done; echo '{restored}'"
    )
}

#[tokio::test]
async fn the_bare_target_conforms() {
    conforms("bare", &mut Bare, Ledger::None).await;
}

#[tokio::test]
async fn a_stack_on_this_machine_conforms() {
    let run = tempfile::tempdir().unwrap();
    let (program, _folder) = program(&stack(run.path()));
    let folder = RunFolder::claim(run.path(), false).unwrap();
    let marker = format!("conforms-{}", std::process::id());
    let launch = Launch { program, arguments: Vec::new(), variables: Vec::new(), marker };
    conforms("local", &mut Local::new(folder, launch), Ledger::Kept).await;
}

#[tokio::test]
async fn functions_on_aws_conform() {
    let (program, folder) = program(&account());
    for via in [Via::Plan, Via::Fis] {
        let plan = crate::check("orders", ORDERS).unwrap().aws_plan().unwrap();
        let run = Run { plan, via, run: "run".into(), folder: folder.path().to_owned(), yes: false };
        conforms("remote", &mut Remote::start(&program, run, None).await.unwrap(), Ledger::Kept).await;
    }
}

#[test]
fn every_target_has_a_row_here() {
    let own = include_str!("conformance.rs");
    for entry in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/targets")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        let is_target = std::fs::read_to_string(&path).unwrap().contains("\nimpl Target for ");
        assert!(!is_target || own.contains(&format!("conforms(\"{name}\"")), "`{name}` is not tried");
    }
}
