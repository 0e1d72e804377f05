//! The program `brownout-aws` as the command starts it, with the control plane as the account: exit codes and what is printed.

use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex};

use control_plane::{Iot, Scripted, Thing};
use protocol::{Resolved, Seed, Task, Unseed};
use run_folder::Addresses;
use tokio::io::AsyncWriteExt as _;

/// Its exit code, standard output and standard error.
async fn carried_out(task: &Task, endpoint: &str) -> (i32, String, String) {
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_brownout-aws"));
    for (name, value) in [
        ("AWS_ENDPOINT_URL", endpoint),
        ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "example"),
        ("AWS_CONFIG_FILE", "/dev/null"),
        ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null"),
    ] {
        command.env(name, value);
    }
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
    child.stdin.take().unwrap().write_all(protocol::to_line(task).unwrap().as_bytes()).await.unwrap();
    let ended = child.wait_with_output().await.unwrap();
    let [out, err] = [ended.stdout, ended.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    (ended.status.code().unwrap(), out, err)
}

fn task(folder: &Path) -> Task {
    let stack = Resolved {
        stack: "homes".to_owned(),
        region: "eu-central-1".to_owned(),
        account: "123456789012".to_owned(),
        layer: crate::support::LAYER.parse().unwrap(),
        functions: Vec::new(),
        addresses: Addresses::default(),
        resources: [("First".to_owned(), "Thermostat1".to_owned())].into(),
    };
    let things = vec!["Thermostat1".to_owned(), "Thermostat2".to_owned()];
    Task::Seed(Box::new(Seed { stack, data: run_folder::deployment::Seed::default(), things, folder: folder.to_owned() }))
}

#[tokio::test]
async fn the_program_seeds_and_deletes_and_its_exit_code_says_whether_something_is_left() {
    let (plane, folder) = (Arc::new(Mutex::new(Scripted::default())), tempfile::tempdir().unwrap());
    let own = Iot { things: [("Thermostat1".to_owned(), Thing::default())].into(), ..Iot::default() };
    plane.lock().unwrap().plane.iot = own.clone();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let serving = tokio::spawn(control_plane::serve(listener, Arc::clone(&plane)));
    let path = folder.path().join("homes");
    let undo = Task::Unseed(Unseed { folder: path.clone() });

    let (code, _, err) = carried_out(&undo, &endpoint).await;
    assert!(code == 2 && err.contains("holds no seed"), "{code} {err}");
    let (code, out, err) = carried_out(&task(&path), &endpoint).await;
    assert!(code == 0 && out.contains("2 certificates, 2 shadows, 1 things"), "{code} {out} {err}");
    let password = run_folder::SeedFolder::open(&path).unwrap().password;
    assert!(!out.contains(&password) && !err.contains(&password));
    let (code, _, err) = carried_out(&task(&path), &endpoint).await;
    assert!(code == 2 && err.contains("brownout unseed"), "{code} {err}");

    let thing = |plane: &mut Scripted| plane.plane.iot.things.get_mut("Thermostat2").unwrap().attributes.clone();
    let before = thing(&mut plane.lock().unwrap());
    plane.lock().unwrap().plane.iot.things.get_mut("Thermostat2").unwrap().attributes.clear();
    let (code, _, err) = carried_out(&undo, &endpoint).await;
    assert!(code == 6 && err.contains("thing `Thermostat2` is not deleted: somebody changed"), "{code} {err}");
    plane.lock().unwrap().plane.iot.things.get_mut("Thermostat2").unwrap().attributes = before;
    let (code, out, err) = carried_out(&undo, &endpoint).await;
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    assert_eq!(plane.lock().unwrap().plane.iot, own);
    let (code, out, _) = carried_out(&undo, &endpoint).await;
    assert!(code == 0 && out.contains("deleted already"), "{code} {out}");
    serving.abort();
}
