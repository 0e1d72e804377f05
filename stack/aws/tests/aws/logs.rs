//! Ledgers in CloudWatch Logs: pages that fail, log groups and formats of every kind.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::support::{FUNCTION, World, function};
use aws::logs::Ledger;
use control_plane::{Function, LogLine};
use faults::Entry;
use serde_json::json;

/// The number of lines; a page has a hundred.
const LINES: usize = 1009;

fn what(entry: &Entry) -> String {
    let Entry::Note { what, .. } = entry else { panic!("{entry:?}") };
    what.clone()
}

fn print(world: &World, lines: std::ops::Range<usize>) {
    let plane = &mut world.scripted.lock().unwrap().plane;
    for n in lines {
        let text = Entry::Note { place: FUNCTION.into(), what: n.to_string() }.to_line();
        plane.print(FUNCTION, LogLine { at_ms: 10_000 + n as u64, text });
        plane.print(FUNCTION, LogLine { at_ms: 10_000 + n as u64, text: format!("a brownout entry that is none, {n}") });
    }
}

#[tokio::test(start_paused = true)]
async fn no_line_is_lost_if_a_later_page_fails_and_the_gap_is_reported_until_it_is_read() {
    let world = World::with(Function::new(function()));
    print(&world, 0..LINES);
    let (mut ledger, mut told, mut failures) = (Ledger::new(&world.config(), "/aws/lambda/thermostat", 0), Vec::new(), 0);
    let begun = ledger.read_at();
    // Each call is tried three times, so five looks in a row end early, each at another page.
    for _ in 0..5 {
        world.scripted.lock().unwrap().plane.failing_pages = 3;
        let look = ledger.look().await;
        told.extend(look.entries.iter().map(what));
        failures += usize::from(look.failed.is_some());
        assert_eq!(ledger.read_at(), begun, "not all of it was read");
        tokio::time::advance(Duration::from_secs(1)).await;
    }
    assert_eq!(failures, 5);
    print(&world, LINES..LINES + 7);
    for _ in 0..2 {
        let look = ledger.look().await;
        assert!(look.failed.is_none(), "{look:?}");
        told.extend(look.entries.iter().map(what));
    }
    assert!(ledger.read_at() > begun);
    assert_eq!(told.len(), LINES + 7, "each comes once");
    assert_eq!(told.into_iter().collect::<BTreeSet<_>>().len(), LINES + 7);
}

#[tokio::test(start_paused = true)]
async fn a_function_with_its_own_log_group_and_a_json_log_is_read() {
    let mut configuration = function();
    configuration.others.insert("LoggingConfig".into(), json!({"LogFormat": "JSON", "LogGroup": "/clinic/thermostat"}));
    let world = World::with(Function::new(configuration));
    print(&world, 0..9);
    let group = world.lambda().function(FUNCTION).await.unwrap().log_group;
    assert_eq!(group, "/clinic/thermostat");
    let look = Ledger::new(&world.config(), &group, 0).look().await;
    let told: Vec<_> = look.entries.iter().map(what).collect();
    assert_eq!(told, (0..9).map(|n| n.to_string()).collect::<Vec<_>>());
}
