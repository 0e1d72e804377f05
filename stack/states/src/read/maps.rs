//! Reads a Map. Its inline mode is served; the distributed one is not.

use std::collections::BTreeSet;

use super::fields::Fields;
use super::shapes::{EVERY, GOES_ON, PATHS, after, given, payload, shaping};
use super::{flow, handling};
use crate::definition::{Flow, Given, Map, Name, State};
use crate::path::Path;

/// What only a Map in distributed mode has. Source: developer guide, "Using Map state in Distributed mode".
const DISTRIBUTED: [&str; 8] = [
    "ItemReader",
    "ItemBatcher",
    "ResultWriter",
    "Label",
    "ToleratedFailureCount",
    "ToleratedFailureCountPath",
    "ToleratedFailurePercentage",
    "ToleratedFailurePercentagePath",
];
const NOT_SERVED: &str = "the distributed mode of a Map is not served here, the inline mode is";

pub(super) fn read(fields: &Fields<'_>, names: &mut BTreeSet<Name>) -> Option<State> {
    let own = [
        "ItemsPath",
        "ItemSelector",
        "Parameters",
        "ItemProcessor",
        "Iterator",
        "MaxConcurrency",
        "MaxConcurrencyPath",
        "ResultSelector",
        "ResultPath",
        "Retry",
        "Catch",
    ];
    fields.only("Map", &[&EVERY[..], &PATHS, &own, &DISTRIBUTED, &GOES_ON].concat());
    fields.none_served(&DISTRIBUTED, NOT_SERVED);
    for (new, old) in [("ItemSelector", "Parameters"), ("ItemProcessor", "Iterator")] {
        if fields.has(new) && fields.has(old) {
            fields.complain(old, format!("found it beside `{new}`, which replaces it; expected one of the two"));
        }
    }
    let (mut shaping, handling, after) = (shaping(fields), handling::read(fields), after(fields));
    let item = payload(fields, "ItemSelector").or(shaping.parameters.take());
    let items = fields.read("ItemsPath", Path::read).unwrap_or(Path::everything());
    let at_once = given(fields, "MaxConcurrency", |fields, key| fields.whole(key, 0..=u64::MAX)).unwrap_or(Given::Here(0));
    let flow = processor(fields, names);
    Some(State::Map(Map { items, item, flow: flow?, at_once, shaping, handling, after: after? }))
}

fn processor(fields: &Fields<'_>, names: &mut BTreeSet<Name>) -> Option<Flow> {
    let key = if fields.has("Iterator") { "Iterator" } else { "ItemProcessor" };
    let within = fields.needed_within(key)?;
    within.only("Map's processor", &["Comment", "ProcessorConfig", "StartAt", "States"]);
    if within.has("ProcessorConfig") {
        let config = within.needed_within("ProcessorConfig")?;
        config.only("processor's configuration", &["Mode", "ExecutionType"]);
        match config.text("Mode").as_deref() {
            None | Some("INLINE") => {}
            Some("DISTRIBUTED") => {
                config.not_served("Mode", NOT_SERVED);
                return None;
            }
            Some(other) => config.complain("Mode", format!("found `{other}`, there are: INLINE, DISTRIBUTED")),
        }
    }
    flow(&within, names)
}
