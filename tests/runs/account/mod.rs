//! The shipped experiments on a deployed stack by its name: `run --target aws --stack`, as a user
//! calls it, in a stand-in account.

mod plans;
mod router;
mod stand_in;

use stand_in::{Account, STACK};

/// `slow-authorizer` on the clinic alone.
fn slow_authorizer() -> String {
    let text = include_str!("../../../scenarios/experiments/slow-authorizer.toml");
    let thermostat = "[[expect]]\nof = \"thermostat";
    let (before, after) = (text.split(thermostat).next().unwrap(), text.split("[stop]").nth(1).unwrap());
    let lines = before.lines().filter(|line| !line.starts_with("thermostat = "));
    let text = lines.collect::<Vec<_>>().join("\n") + "\n[stop]" + after;
    text.replace(r#"["thermostat", "clinic"]"#, r#"["clinic"]"#) + "\n[aws]\nledger-lag = \"3s\"\n"
}

#[test]
fn a_shipped_experiment_holds_on_a_stack_by_its_name_and_leaves_it_as_it_was() {
    let _turn = crate::support::turn();
    let account = Account::with("clinic", &[include_str!("../../../scenarios/src/systems/clinic/template.yaml")], &[]);
    let before = account.functions();
    let file = account.file(&slow_authorizer());
    let seeded = account.brownout(&["seed", &file, "--stack", STACK]);
    assert_eq!(seeded.code, 0, "{}", seeded.story());
    let outcome = account.brownout(&["run", &file, "--target", "aws", "--stack", STACK]);
    assert_eq!((outcome.result()["verdict"].as_str(), outcome.code), (Some("held"), 0), "{}", outcome.story());
    assert!(outcome.result()["struck"].as_u64().unwrap() > 20, "{}", outcome.story());
    let removed = account.brownout(&["unseed", "--stack", STACK]);
    assert_eq!(removed.code, 0, "{}", removed.story());
    assert_eq!(account.functions(), before);
}
