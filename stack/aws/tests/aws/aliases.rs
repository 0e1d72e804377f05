//! The exported document on a function whose callers use an alias: what it refuses, and what it takes
//! back.

use crate::automation::Status;
use crate::bench::{Bench, SHARED};

#[test]
fn an_alias_that_cannot_be_shared_is_refused_before_anything_is_changed() {
    let Some(mut bench) = Bench::new() else { return };
    type Change = fn(&mut control_plane::Function);
    let cases: [(&str, Change); 4] = [
        ("points to $LATEST", |function| function.aliases.get_mut("live").unwrap().version = "$LATEST".into()),
        ("already shares its calls", |function| function.aliases.get_mut("live").unwrap().weights = [("7".into(), 0.1)].into()),
        ("differs from the version of the alias in variable NEW", |function| {
            function.latest.variables.insert("NEW".into(), "value".into());
        }),
        ("differs from the version of the alias in CodeSha256", |function| function.latest.code.push('x')),
    ];
    for (why, change) in cases {
        bench.reset();
        change(bench.plane().plane.functions.get_mut(SHARED).unwrap());
        let before = bench.plane().plane.functions.clone();
        let execution = bench.execute(None);
        assert!(execution.failures.concat().contains(why), "{why}: {execution:#?}");
        assert_eq!((execution.status, bench.plane().plane.functions == before), (Status::Failed, true), "{why}");
    }
}

#[test]
fn a_version_that_a_user_changed_before_it_was_published_gets_no_calls() {
    let Some(mut bench) = Bench::new() else { return };
    let spoiled = bench.document.to_string().replace(
        "def publish(cloud, name, events):",
        "def publish(cloud, name, events):\\n if \\\"once\\\" not in events:\\n  events[\\\"once\\\"] = \
         cloud.update_function_configuration(FunctionName=name, Timeout=9)\\n return published(cloud, name, events)\\n\\n\
         def published(cloud, name, events):",
    );
    assert!(spoiled.contains("Timeout=9"), "nothing was spoiled");
    bench.document = serde_json::from_str(&spoiled).unwrap();
    let execution = bench.execute(None);
    assert!(execution.failures.concat().contains("differs from the version of the alias in Timeout"), "{execution:#?}");
    assert_eq!((execution.status, bench.dirt()), (Status::Failed, Vec::new()), "{execution:#?}");
}
