//! Decides the next step from the function as it was read; nothing here waits or calls.

use std::collections::BTreeMap;

use super::complaint::Complaint;
use super::update::Update;
use super::wish::{Layer, Surroundings, Wish};
use crate::function::{Function, LastUpdate, Package, Readable};
use crate::marker::{Marker, Record, UNDO};
use crate::secret::{MOST_BYTES, Variables};

/// The next step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// It is attached, and the update is complete.
    Done(Record),
    /// An update is in progress, by this run or another user.
    Wait,
    /// The layer is attached and does not work: undo at once.
    TakeBack {
        /// What is wrong with it.
        reason: String,
    },
    /// Attach with this update.
    Update {
        /// What is sent.
        update: Update,
        /// The undo record that the update contains.
        record: Record,
    },
    /// It cannot be attached.
    Refuse(Vec<Complaint>),
}

/// The path of the wrapper in the layer.
const WRAPPER: &str = "/opt/brownout/wrapper";
const EXEC_WRAPPER: &str = "AWS_LAMBDA_EXEC_WRAPPER";

/// Decides the next step for `wish`, with `function` as it was just read.
pub fn decide(function: &Function, around: &Surroundings, wish: &Wish) -> Step {
    let mut complaints = Vec::new();
    match Marker::of(function) {
        Marker::Of(record) if record.run == wish.run => return standing(function, record),
        Marker::Of(record) => complaints.push(Complaint::Locked { run: record.run, age_s: wish.at.saturating_sub(record.at) }),
        Marker::Unreadable if matches!(function.variables, Readable::Yes(_)) => complaints.push(Complaint::UnreadableMarker),
        Marker::Unreadable | Marker::None => (),
    }
    if complaints.is_empty() && function.last_update == LastUpdate::InProgress {
        return Step::Wait;
    }
    complain(function, around, wish, &mut complaints);
    let ours = ours(function, wish, &mut complaints);
    let Readable::Yes(variables) = &function.variables else { return Step::Refuse(complaints) };
    let (update, record) = with_ours(function, variables, ours, wish);
    if update.variables.bytes() > MOST_BYTES {
        complaints.push(Complaint::Variables(update.variables.bytes()));
    }
    if complaints.is_empty() { Step::Update { update, record } } else { Step::Refuse(complaints) }
}

/// What an attach would change in this function; `None` if that is not known.
pub fn record_of(before: &Function, wish: &Wish) -> Option<Record> {
    let Readable::Yes(variables) = &before.variables else { return None };
    Some(with_ours(before, variables, ours(before, wish, &mut Vec::new()), wish).1)
}

/// The layer is attached: checks whether it works.
fn standing(function: &Function, record: Record) -> Step {
    let Readable::Yes(variables) = &function.variables else { return Step::Wait };
    match &function.last_update {
        LastUpdate::InProgress => return Step::Wait,
        LastUpdate::Failed(reason) => return Step::TakeBack { reason: format!("the update failed: {reason}") },
        LastUpdate::Successful => (),
    }
    if record.layer.as_ref().is_some_and(|layer| !function.layers.contains(layer)) {
        return Step::TakeBack { reason: "somebody took the layer out".to_owned() };
    }
    match record.set.iter().find(|(name, value)| variables.value(name) != Some(value)) {
        Some((name, _)) => Step::TakeBack { reason: format!("somebody changed `{name}`") },
        None => Step::Done(record),
    }
}

fn complain(function: &Function, around: &Surroundings, wish: &Wish, complaints: &mut Vec<Complaint>) {
    let layer = &wish.layer;
    if function.state != "Active" {
        complaints.push(Complaint::State(function.state.clone()));
    }
    if let LastUpdate::Failed(reason) = &function.last_update {
        complaints.push(Complaint::LastUpdate(reason.clone()));
    }
    if let Readable::No { code } = &function.variables {
        complaints.push(Complaint::Undecipherable(code.clone()));
    }
    if function.package == Package::Image {
        complaints.push(Complaint::Image);
    }
    let has = function.layers.iter().any(|one| one == layer.arn());
    if !has && function.layers.len() >= 5 {
        complaints.push(Complaint::Layers(function.layers.len()));
    }
    let is_version = |one: &&String| one.strip_prefix(layer.stem()).is_some_and(|rest| rest.starts_with(':')) && *one != layer.arn();
    if let Some(other) = function.layers.iter().find(is_version) {
        complaints.push(Complaint::OtherVersion(other.clone()));
    }
    if around.enforced && !has {
        complaints.push(Complaint::Signing);
    }
    complaints.extend(unfit(function, around.architectures.as_deref(), layer));
    complaints.extend(wish.settings.keys().filter(|name| !name.starts_with("BROWNOUT_") || *name == UNDO).cloned().map(Complaint::Setting));
}

/// Why the layer cannot run beside the function; `architectures` are those that the layer names, `None` if it is not there.
pub fn unfit(function: &Function, architectures: Option<&[String]>, layer: &Layer) -> Option<Complaint> {
    let runs_on = function.architecture.clone();
    match architectures {
        None => Some(Complaint::NoLayer(layer.arn().to_owned())),
        // A program for another processor would prevent every environment from starting.
        Some([]) => Some(Complaint::NoArchitecture { function: runs_on }),
        Some(all) => (!all.contains(&runs_on)).then(|| Complaint::Architecture { function: runs_on, layer: all.join(", ") }),
    }
}

/// The variables that are set, besides the record.
fn ours(function: &Function, wish: &Wish, complaints: &mut Vec<Complaint>) -> BTreeMap<String, String> {
    let mut ours = wish.settings.clone();
    ours.insert("BROWNOUT_PLAN".to_owned(), wish.plan.clone());
    let Package::Zip { runtime } = &function.package else { return ours };
    // No variable redirects an OS-only runtime: the function must point itself at the extension, or
    // its ledger stays empty.
    if runtime.starts_with("provided") {
        return ours;
    }
    if takes_a_wrapper(runtime) {
        if let Readable::Yes(variables) = &function.variables
            && let Some(before) = variables.value(EXEC_WRAPPER).filter(|before| !before.is_empty() && *before != WRAPPER)
        {
            ours.insert("BROWNOUT_EXEC_WRAPPER".to_owned(), before.to_owned());
        }
        ours.insert(EXEC_WRAPPER.to_owned(), WRAPPER.to_owned());
    } else {
        complaints.push(Complaint::Runtime(runtime.clone()));
    }
    ours
}

/// Whether the runtime supports a wrapper: those on Amazon Linux 1 do not, nor does Go's own
/// ("Modifying the runtime environment", Lambda Developer Guide).
fn takes_a_wrapper(runtime: &str) -> bool {
    const WITHOUT: [&str; 13] = [
        "nodejs",
        "nodejs4.3",
        "nodejs6.10",
        "nodejs8.10",
        "python2.7",
        "python3.6",
        "python3.7",
        "ruby2.5",
        "java8",
        "dotnetcore1.0",
        "dotnetcore2.0",
        "dotnetcore2.1",
        "nodejs4.3-edge",
    ];
    ["nodejs", "python", "ruby", "java", "dotnet"].iter().any(|kind| runtime.starts_with(kind)) && !WITHOUT.contains(&runtime)
}

fn with_ours(function: &Function, variables: &Variables, ours: BTreeMap<String, String>, wish: &Wish) -> (Update, Record) {
    let (mut layers, mut variables, mut before) = (function.layers.clone(), variables.clone(), BTreeMap::new());
    let added = !layers.iter().any(|layer| layer == wish.layer.arn());
    if added {
        layers.push(wish.layer.arn().to_owned());
    }
    for (name, value) in &ours {
        if let Some(was) = variables.set(name, value) {
            before.insert(name.clone(), was.expose().to_owned());
        }
    }
    let record = Record {
        run: wish.run.clone(),
        at: wish.at,
        until: wish.until,
        layer: added.then(|| wish.layer.arn().to_owned()),
        set: ours,
        before,
        sha: function.config_sha.clone(),
        alias: wish.alias.clone(),
    };
    variables.set(UNDO, &record.text());
    (Update { layers, variables, revision: function.revision.clone() }, record)
}
