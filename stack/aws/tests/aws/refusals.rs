//! A function that cannot be attached is refused before anything is touched, with all reasons at
//! once and no value of a variable.

use crate::support::{FUNCTION, LAYER, SECRET, World, function, wish};
use aws::attach::{AttachError, Layer, Wish, attach};
use aws::undo::Proof;
use control_plane::{Configuration, Function, Settling, Signing};

type Change = fn(&mut Function, &mut Wish);

fn latest(change: fn(&mut Configuration)) -> Function {
    let mut latest = function();
    change(&mut latest);
    Function::new(latest)
}

const CASES: [(&str, Change); 16] = [
    ("container image", |f, _| f.latest.image = true),
    ("it has `5` layers", |f, _| f.latest.layers = (0..5).map(|n| format!("arn:aws:lambda:r:a:layer:l{n}:1")).collect()),
    ("another version of the layer", |f, _| f.latest.layers = vec![LAYER.replace(":3", ":2")]),
    ("at most 4096 are allowed", |f, _| drop(f.latest.variables.insert("FILLER".to_owned(), "x".repeat(3900)))),
    ("cannot be read (`AccessDeniedException`)", |f, _| f.latest.undecipherable = true),
    ("code-signing configuration is `Enforce`", |f, _| f.signing = Signing::Enforce),
    ("`BROWNOUT_UNDO` is not understood", |f, _| drop(f.latest.variables.insert("BROWNOUT_UNDO".to_owned(), "{}".to_owned()))),
    ("its state is `Pending`", |f, _| f.latest.state = "Pending".to_owned()),
    ("its state is `Inactive`", |f, _| f.latest.state = "Inactive".to_owned()),
    ("its last update failed (`InvalidSubnet`)", |f, _| {
        f.latest.last_update = control_plane::LastUpdate::Failed("InvalidSubnet".to_owned())
    }),
    ("it runs on `arm64` and the layer is for `x86_64`", |f, _| f.latest.architecture = "arm64".to_owned()),
    ("is not there or may not be read", |_, w| w.layer = Layer::try_from(LAYER.replace(":3", ":9")).unwrap()),
    ("its runtime `go1.x` takes no wrapper", |f, _| f.latest.runtime = Some("go1.x".to_owned())),
    ("its runtime `python3.7` takes no wrapper", |f, _| f.latest.runtime = Some("python3.7".to_owned())),
    ("`PATH` is not a setting of brownout", |_, w| drop(w.settings.insert("PATH".to_owned(), "/".to_owned()))),
    ("run `other` holds it since `400` s", |f, _| {
        let record = r#"{"run":"other","at":600,"until":9000,"set":{}}"#;
        f.latest.variables.insert("BROWNOUT_UNDO".to_owned(), record.to_owned());
    }),
];

#[tokio::test(start_paused = true)]
async fn each_reason_is_reported_and_nothing_is_touched() {
    for (expected, change) in CASES {
        let (mut function, mut wish) = (latest(|_| ()), wish("r"));
        change(&mut function, &mut wish);
        let world = World::with(function);
        let before = world.latest();
        let error = attach(&world.lambda(), &world, FUNCTION, &wish).await.unwrap_err();
        assert!(error.to_string().contains(expected), "{expected}: {error}");
        assert!(matches!(&error, AttachError::Refused { complaints, .. } if complaints.len() == 1), "{expected}: {error}");
        assert!(!format!("{error} {error:?}").contains(SECRET), "{error:?}");
        assert_eq!(world.latest(), before, "{expected}");
        assert!(world.journal.lock().unwrap().is_empty(), "{expected}");
    }
}

#[tokio::test(start_paused = true)]
async fn all_reasons_are_reported_at_once() {
    let world = World::with(latest(|latest| {
        latest.architecture = "arm64".to_owned();
        latest.runtime = Some("go1.x".to_owned());
        latest.state = "Inactive".to_owned();
    }));
    let error = attach(&world.lambda(), &world, FUNCTION, &wish("r")).await.unwrap_err();
    assert!(matches!(&error, AttachError::Refused { complaints, .. } if complaints.len() == 3), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_function_with_a_concurrency_of_zero_is_attached_with_a_warning() {
    let mut function = latest(|_| ());
    function.concurrency = Some(0);
    let world = World::with(function);
    let attached = attach(&world.lambda(), &world, FUNCTION, &wish("r")).await.unwrap();
    assert!(attached.warnings[0].contains("reserved concurrency of `0`"), "{:?}", attached.warnings);
}

#[tokio::test(start_paused = true)]
async fn an_update_that_fails_is_undone_at_once_and_its_reason_is_reported() {
    let world = World::with(latest(|_| ()));
    let reason = format!("The role has no permission for {SECRET}");
    world.scripted.lock().unwrap().plane.settling = Settling { looks: 2, next_fails: Some(reason) };
    let error = attach(&world.lambda(), &world, FUNCTION, &wish("r")).await.unwrap_err();
    assert!(matches!(&error, AttachError::TakenBack { proof: Proof::Identical, .. }), "{error}");
    assert!(error.to_string().contains("The role has no permission for ***"), "{error}");
    assert_eq!(world.latest().variables, function().variables);
}

#[tokio::test(start_paused = true)]
async fn lambdas_message_about_too_many_variables_is_cut_before_it_quotes_them() {
    // Another user's update is refused with all variables quoted, as brownout's client would see
    // it.
    let world = World::with(latest(|latest| drop(latest.variables.insert("FILLER".to_owned(), "x".repeat(3000)))));
    let lambda = aws_sdk_lambda::Client::new(&world.config());
    let variables = [("DB_PASSWORD".to_owned(), SECRET.to_owned()), ("FILLER".to_owned(), "x".repeat(5000))];
    let environment = aws_sdk_lambda::types::Environment::builder().set_variables(Some(variables.into())).build();
    let error = lambda.update_function_configuration().function_name(FUNCTION).environment(environment).send().await.unwrap_err();
    assert!(format!("{error:?}").contains(SECRET), "the control plane no longer quotes what AWS quotes");
    let told = aws::call::CallError::read("UpdateFunctionConfiguration", FUNCTION, &error, &aws::secret::Variables::default());
    assert!(told.to_string().contains("4KB limit"), "{told}");
    assert!(!format!("{told} {told:?}").contains(SECRET), "{told}");
}
