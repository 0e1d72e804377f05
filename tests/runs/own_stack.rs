//! The example of an own stack, as a user starts it: a template in short form, Python and Node functions, a
//! journey through API, table, queue, bucket and back.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::support::{self, BROWNOUT, Share, for_each};

/// The folder of the example.
pub(crate) fn orders() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/orders")
}

#[test]
fn the_template_of_the_example_is_served_whole() {
    let folder = tempfile::tempdir().unwrap();
    let mut check = Command::new(BROWNOUT);
    check.arg("check").arg(orders().join("template.yaml"));
    check.env("BROWNOUT_PYTHON", support::python(folder.path())).env("BROWNOUT_NODE", support::node(folder.path()));
    let output = check.output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && said.contains("0 things not served"), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(!said.contains("not served here"), "{said}");
}

/// Whether this machine can run the functions: they need the SDKs that AWS's runtimes bring.
pub(crate) fn can_run() -> bool {
    let runs = |program: &str, arguments: [&str; 2]| {
        Command::new(program).args(arguments).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
    };
    let can = runs("python3", ["-c", "import boto3"]) && runs("node", ["-e", "require('@aws-sdk/client-dynamodb')"]);
    if !can {
        println!("SKIPPED: python3 has no boto3, or node no @aws-sdk/client-dynamodb");
    }
    can
}

#[test]
fn an_order_is_placed_and_shipped_while_the_table_is_slow() {
    if !can_run() {
        return;
    }
    let text = std::fs::read_to_string(orders().join("brownout.toml")).unwrap();
    let outcome = Share::Third.run(&at(&text, &orders()), &[]);
    assert_eq!(outcome.broken(), Vec::<String>::new(), "{}", outcome.story());
    let result = outcome.result();
    // On a busy machine Python is too slow for the aims, which then are not shown; but nothing breaks.
    assert!([0, 4].contains(&outcome.code), "{}", outcome.story());
    let rules = result["invariants"].as_array().unwrap();
    let idle: Vec<_> = rules.iter().filter(|rule| rule["checked"] == 0).map(|rule| rule["id"].to_string()).collect();
    assert!(rules.len() == 12 && idle.is_empty(), "{idle:?} of {}: {}", rules.len(), outcome.story());
    for endpoint in ["buy place", "buy look", "buy note", "buy look settled", "miss look"] {
        assert!(result.to_string().contains(&format!("\"{endpoint}\"")), "{endpoint}: {}", outcome.story());
    }
}

/// An experiment whose template is in this folder.
fn at(text: &str, folder: &Path) -> String {
    let template = format!("template = \"{}\"", folder.join("template.yaml").display());
    text.replace("template = \"template.yaml\"", &template)
}

/// Orders are placed and nothing is looked at, so that only rules can find what is wrong. Queues are
/// fast, so that a message is soon given up.
fn only_rules() -> String {
    let text = std::fs::read_to_string(orders().join("brownout.toml")).unwrap();
    let rules = text.split("[[rule]]").skip(1).filter(|rule| !rule.contains("buy.look") && !rule.contains("buy.note"));
    let rules: String = rules.map(|rule| format!("[[rule]]{}", rule.split("[[fault]]").next().unwrap())).collect();
    // Without a fault no SDK sends a message again.
    let rules = rules.replace("about = \"{{order}}\" }", "about = \"{{order}}\", times = 1 }");
    let place = text.split("[[journey.request]]").nth(1).unwrap();
    format!(
        r#"question = "Is every order stored and shipped once?"
[stack]
template = "template.yaml"
compressed-time = {{ queues = "30x" }}
[phases]
warm-up = "1s"
baseline = "6s"
fault = "1s"
recovery = "1s"
[[journey]]
name = "buy"
rate = "6/s"
[[journey.request]]
headers = {{ Authorization = "Bearer {{{{uuid}}}}" }}{place}
{rules}
[[rule]]
name = "{WORKED_ON}"
when = "buy.place = 2xx"
then = {{ function = "WorkerFunction", about = "{{{{order}}}}", within = "20s" }}
"#
    )
}

/// A copy of the application.
pub(crate) fn copy_of_orders() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    support::copy(&orders(), folder.path());
    folder
}

/// A copy of the application in which a line of a function is another.
fn with_bug(file: &str, from: &str, to: &str) -> tempfile::TempDir {
    let folder = copy_of_orders();
    if !file.is_empty() {
        let path = folder.path().join("src").join(file);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{file} has no `{from}`");
        std::fs::write(path, text.replacen(from, to, 1)).unwrap();
    }
    folder
}

const STORED: &str = "an accepted order is stored once";
const SHIPPED: &str = "an accepted order is to be shipped";
const WORKED_ON: &str = "the worker gets each order";
const DEAD: &str = "nothing is in NotShipped";

/// What is wrong, in which file, the line, what it is instead, and which rules that breaks.
type Bug = (&'static str, &'static str, &'static str, &'static str, &'static [&'static str]);

const PUT: &str = "    table.put_item(Item=item)\n";

const BUGS: [Bug; 8] = [
    ("nothing", "", "", "", &[]),
    (
        "an order is stored twice",
        "orders.py",
        PUT,
        "    table.put_item(Item=item)\n    table.put_item(Item={**item, 'again': True})\n",
        &[STORED],
    ),
    (
        "an error is swallowed",
        "orders.py",
        PUT,
        "    try:\n        table.put_item(Item={**item, 'amount': 1.5})\n    except TypeError:\n        pass\n",
        &[STORED],
    ),
    (
        "a message is sent twice",
        "orders.py",
        "    sqs.send_message(",
        "    sqs.send_message(QueueUrl=os.environ['SHIPMENTS'], MessageBody=json.dumps({'id': item['id']}))\n    sqs.send_message(",
        &[SHIPPED],
    ),
    (
        "some orders cannot be shipped",
        "worker.py",
        "    # Writing",
        "    if order[0] in '0123':\n        raise ValueError(order)\n    # Writing",
        &[DEAD, "R-4"],
    ),
    (
        "a function that ended does not start again",
        "receipts.py",
        "def note(event, _context):\n",
        // The first environments are started before traffic begins.
        "if table.scan(Limit=1)['Count']:\n    raise RuntimeError('not again')\n\n\ndef note(event, _context):\n    os._exit(1)\n",
        &["R-6"],
    ),
    ("a token is logged", "orders.py", PUT, "    table.put_item(Item=item)\n    print(json.dumps(event['headers']))\n", &["R-5"]),
    (
        "an answer shows a stack trace",
        "orders.py",
        PUT,
        "    if item['amount'] == 3:\n        import traceback\n        try:\n            item['none']\n        except KeyError:\n            \
         return answer(500, {'message': traceback.format_exc()})\n    table.put_item(Item=item)\n",
        &["R-3"],
    ),
];

#[test]
fn each_planted_bug_breaks_exactly_the_rule_that_is_about_it() {
    if !can_run() {
        return;
    }
    for_each(&BUGS, |(what, file, from, to, broken)| {
        let folder = with_bug(file, from, to);
        let outcome = Share::Sixth.run(&at(&only_rules(), folder.path()), &[]);
        assert_eq!(outcome.broken(), *broken, "{what}: {}", outcome.story());
        let result = outcome.result();
        let rules = result["invariants"].as_array().unwrap();
        let idle: Vec<_> = rules.iter().filter(|rule| rule["checked"] == 0).map(|rule| rule["id"].to_string()).collect();
        assert!(rules.len() == 11 && idle.is_empty(), "{what}: {idle:?} of {}: {}", rules.len(), outcome.story());
        let Some(first) = broken.first() else { return };
        assert_eq!(result["verdict"], "broken", "{what}: {}", outcome.story());
        let exchange = &rules.iter().find(|rule| rule["id"] == *first).unwrap()["exchanges"][0];
        let text = |key: &str| exchange[key].as_str().unwrap().to_owned();
        if *first == "R-6" {
            assert!(text("answered").contains("`ReceiptFunction` failed to start"), "{what}: {exchange}");
            return;
        }
        assert!(text("asked") == "POST /orders" && text("root").starts_with("1-"), "{what}: {exchange}");
        let is_of_file = !first.starts_with("R-");
        assert!(!is_of_file || text("answered").starts_with("201; ") && text("repeat").contains("-d '{"), "{what}: {exchange}");
    });
}
