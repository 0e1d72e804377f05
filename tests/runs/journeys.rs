//! What is around the requests of journeys: setups, sign-ins and teardowns against a shop, and a rate that
//! two journeys share.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::support::{self, BROWNOUT};
use serde_json::Value;

/// A token is good for so many orders.
const GOOD_FOR: usize = 7;

/// A shop that must be opened, whose customers sign in. It remembers what it was asked; its threads end
/// with their connections.
struct Shop {
    port: u16,
    asked: Arc<Mutex<Asked>>,
}

#[derive(Default)]
struct Asked {
    /// Method and path of each request, with the status of its answer.
    all: Vec<(String, u16)>,
    /// How many orders each token has placed.
    tokens: BTreeMap<String, usize>,
    /// The status of an answer to `POST /shops`.
    opens: u16,
}

impl Asked {
    fn answer(&mut self, method: &str, path: &str, token: &str, body: &str) -> (u16, String) {
        let (status, body) = match (method, path) {
            ("POST", "/shops") => (self.opens, r#"{"id":"s-1"}"#.to_owned()),
            ("DELETE", "/shops/s-1") => (204, String::new()),
            ("POST", "/sign-in") => {
                let user: Value = serde_json::from_str(body).unwrap();
                let token = format!("{}-{}", user["user"].as_str().unwrap(), self.tokens.len());
                self.tokens.insert(token.clone(), 0);
                (200, format!(r#"{{"token":"{token}"}}"#))
            }
            ("POST", "/shops/s-1/orders") => match self.tokens.get_mut(token) {
                Some(used) if *used < GOOD_FOR => {
                    *used += 1;
                    (201, "{}".to_owned())
                }
                _ => (401, "{}".to_owned()),
            },
            ("GET", "/look") => (200, "{}".to_owned()),
            _ => (404, String::new()),
        };
        self.all.push((format!("{method} {path}"), status));
        (status, body)
    }
}

impl Shop {
    fn open(opens: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (port, asked) = (listener.local_addr().unwrap().port(), Arc::new(Mutex::new(Asked { opens, ..Asked::default() })));
        let shared = Arc::clone(&asked);
        std::thread::spawn(move || {
            for wire in listener.incoming().flatten() {
                let asked = Arc::clone(&shared);
                std::thread::spawn(move || serve(wire, &asked));
            }
        });
        Self { port, asked }
    }

    /// How often a request was answered with a status.
    fn count(&self, request: &str, status: u16) -> usize {
        self.asked.lock().unwrap().all.iter().filter(|one| **one == (request.to_owned(), status)).count()
    }

    fn all(&self) -> Vec<(String, u16)> {
        self.asked.lock().unwrap().all.clone()
    }

    fn load(&self, folder: &std::path::Path, time: &str) -> Command {
        let file = folder.join("shop.toml");
        std::fs::write(folder.join("users.csv"), "user\nann\nbob\n").unwrap();
        std::fs::write(&file, FILE.replace("PORT", &self.port.to_string()).replace("4s", time)).unwrap();
        let mut load = Command::new(BROWNOUT);
        load.arg("load").arg(file).arg("--out").arg(folder.join("out")).stdin(Stdio::null());
        load
    }
}

fn serve(wire: TcpStream, asked: &Mutex<Asked>) -> Option<()> {
    let mut answers = wire.try_clone().ok()?;
    let mut lines = BufReader::new(wire);
    loop {
        let (mut first, mut token, mut length) = (String::new(), String::new(), 0);
        lines.read_line(&mut first).ok().filter(|read| *read > 0)?;
        loop {
            let mut line = String::new();
            lines.read_line(&mut line).ok()?;
            let Some((name, value)) = line.trim_end().split_once(": ") else { break };
            match name.to_lowercase().as_str() {
                "authorization" => token = value.trim_start_matches("Bearer ").to_owned(),
                "content-length" => length = value.parse().ok()?,
                _ => {}
            }
        }
        let mut body = vec![0; length];
        lines.read_exact(&mut body).ok()?;
        let mut words = first.split(' ');
        let (method, path) = (words.next()?, words.next()?);
        let (status, body) = asked.lock().ok()?.answer(method, path, &token, std::str::from_utf8(&body).ok()?);
        let length = if status == 204 { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
        answers.write_all(format!("HTTP/1.1 {status} Told\r\n{length}\r\n{body}").as_bytes()).ok()?;
    }
}

const FILE: &str = r#"
[phases]
warm-up = "1s"
measured = "4s"
[load]
rate = "20/s"
[[journey]]
name = "buy"
url = "http://127.0.0.1:PORT"
data = "users.csv"
weight = 3
[[journey.setup]]
name = "open"
post = "/shops"
expect = { status = 201 }
keep = { shop = "/id" }
[journey.sign-in]
name = "sign-in"
post = "/sign-in"
json = { user = "{{user}}" }
keep = { token = "/token" }
[[journey.request]]
name = "place"
post = "/shops/{{shop}}/orders"
headers = { Authorization = "Bearer {{token}}" }
expect = { status = 201 }
[[journey.teardown]]
name = "close"
delete = "/shops/{{shop}}"
expect = { status = 204 }
[[journey]]
name = "look"
url = "http://127.0.0.1:PORT"
[[journey.request]]
name = "all"
get = "/look"
"#;

#[test]
fn a_shop_is_opened_once_users_sign_in_again_when_they_must_and_it_is_closed_at_the_end() {
    let _turn = support::Share::Place.take();
    let (shop, folder) = (Shop::open(201), tempfile::tempdir().unwrap());
    let output = shop.load(folder.path(), "4s").output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    let all = shop.all();
    assert!(output.status.success() && said.contains("errors    0"), "{said}");
    assert_eq!((&all[0].0, &all[all.len() - 1].0), (&"POST /shops".to_owned(), &"DELETE /shops/s-1".to_owned()), "{said}");
    assert_eq!((shop.count("POST /shops", 201), shop.count("DELETE /shops/s-1", 204)), (1, 1));
    // 5 s of 15/s and of 5/s. Each order is placed, some of them after another sign-in.
    assert_eq!((shop.count("POST /shops/s-1/orders", 201), shop.count("GET /look", 200)), (75, 25), "{said}");
    let (sign_ins, refused) = (shop.count("POST /sign-in", 200), shop.count("POST /shops/s-1/orders", 401));
    assert!(sign_ins >= 75 / GOOD_FOR && sign_ins <= refused + 2 && refused > 0, "{sign_ins} sign-ins, {refused} refused");
    let result = std::fs::read_to_string(folder.path().join("out/result.json")).unwrap();
    assert!(result.contains("\"buy sign-in\""), "a sign-in is measured: {result}");
}

#[test]
fn a_setup_that_fails_ends_the_run_before_the_load_and_names_its_request() {
    let _turn = support::Share::Place.take();
    let (shop, folder) = (Shop::open(503), tempfile::tempdir().unwrap());
    let output = shop.load(folder.path(), "4s").output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("the setup of `buy` failed: `buy open` was answered with 503 instead of 201"), "{said}");
    assert!(said.contains("`buy close` was not sent, because the setup did not get as far as `{{shop}}`"), "{said}");
    assert_eq!(shop.all(), [("POST /shops".to_owned(), 503)]);
}

#[test]
fn after_ctrl_c_the_shop_is_closed() {
    let _turn = support::Share::Place.take();
    let (shop, folder) = (Shop::open(201), tempfile::tempdir().unwrap());
    let mut child = shop.load(folder.path(), "10m").stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    support::within(Duration::from_secs(60), "an order to be placed", || (shop.count("POST /shops/s-1/orders", 201) > 0).then_some(()));
    support::signal(child.id(), "INT");
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(shop.all().last(), Some(&("DELETE /shops/s-1".to_owned(), 204)));
}
