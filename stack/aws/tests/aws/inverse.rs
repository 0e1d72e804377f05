//! Undo reverses attach, for any function.

use crate::support::{FUNCTION, run, wish};
use aws::attach::{self, Surroundings};
use aws::function::{Function, LastUpdate, Package, Readable};
use aws::secret::Variables;
use aws::undo;
use proptest::prelude::*;

fn function(layers: Vec<String>, variables: &[(String, String)], runtime: &str) -> Function {
    Function {
        name: FUNCTION.to_owned(),
        version: "$LATEST".to_owned(),
        package: Package::Zip { runtime: runtime.to_owned() },
        architecture: "x86_64".to_owned(),
        memory_mb: None,
        layers,
        variables: Readable::Yes(variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect::<Variables>()),
        state: "Active".to_owned(),
        last_update: LastUpdate::Successful,
        revision: Some("1".to_owned()),
        description: String::new(),
        log_group: "/aws/lambda/f".to_owned(),
        config_sha: Some("before".to_owned()),
        code_sha: None,
    }
}

fn variable() -> impl Strategy<Value = (String, String)> {
    let ours = prop::sample::select(vec!["AWS_LAMBDA_EXEC_WRAPPER", "BROWNOUT_PLAN", "BROWNOUT_EXEC_WRAPPER", "BROWNOUT_OUTBOUND"]);
    let name = prop_oneof![ours.prop_map(str::to_owned), "[A-Z][A-Z_]{1,8}"];
    let value = prop_oneof![Just("/opt/brownout/wrapper".to_owned()), Just("ssm:/brownout/r".to_owned()), "\\PC{0,20}"];
    (name, value)
}

proptest! {
    #[test]
    fn attach_and_undo_restore_the_function(
        layers in prop::collection::vec("arn:aws:lambda:r:1:layer:[a-z]{1,5}:[1-9]", 0..4),
        variables in prop::collection::vec(variable(), 0..12),
        runtime in prop::sample::select(vec!["python3.13", "nodejs22.x", "java21", "provided.al2023"]),
    ) {
        let before = function(layers, &variables, runtime);
        let around = Surroundings { architectures: Some(vec!["x86_64".to_owned()]), ..Surroundings::default() };
        let attach::Step::Update { update, record } = attach::decide(&before, &around, &wish("r")) else { panic!("refused") };
        let attached = Function { layers: update.layers, variables: Readable::Yes(update.variables), ..before.clone() };
        prop_assert_eq!(attach::decide(&attached, &around, &wish("r")), attach::Step::Done(record));
        let undo::Step::Update(update) = undo::decide(&attached, &run("r"), None).unwrap() else { panic!("not undone") };
        let undone = Function { layers: update.layers, variables: Readable::Yes(update.variables), ..before.clone() };
        prop_assert_eq!(&undone, &before);
        let again = undo::decide(&undone, &run("r"), None).unwrap();
        prop_assert_eq!(again, undo::Step::Clean(undo::Proof::NothingThere));
    }

    #[test]
    fn any_marker_is_parsed_or_refused(text in "\\PC{0,200}") {
        let attached = function(Vec::new(), &[("BROWNOUT_UNDO".to_owned(), text)], "python3.13");
        let _ = undo::decide(&attached, &run("r"), None);
    }
}
