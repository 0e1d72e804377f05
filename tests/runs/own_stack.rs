//! The example of an own stack, as a user starts it: a template in short form, Python functions, a
//! journey through API, table, queue, bucket and back.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::support::{BROWNOUT, run};

fn orders() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/orders")
}

#[test]
fn the_template_of_the_example_is_served_whole() {
    let folder = tempfile::tempdir().unwrap();
    let mut check = Command::new(BROWNOUT);
    check.arg("check").arg(orders().join("template.yaml")).env("BROWNOUT_PYTHON", support::python(folder.path()));
    let output = check.output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && said.contains("0 things not served"), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(!said.contains("not served here"), "{said}");
}

/// Whether this machine can run the functions: they need the runtime's client, and boto3 as AWS has it.
fn can_run() -> bool {
    let has_both = Command::new("python3").args(["-c", "import awslambdaric, boto3"]).stderr(Stdio::null()).status();
    has_both.is_ok_and(|status| status.success())
}

#[test]
fn an_order_is_placed_and_shipped_while_the_table_is_slow() {
    if !can_run() {
        println!("SKIPPED: python3 has no awslambdaric or no boto3");
        return;
    }
    let text = std::fs::read_to_string(orders().join("brownout.toml")).unwrap();
    let template = format!("template = \"{}\"", orders().join("template.yaml").display());
    let outcome = run(&text.replace("template = \"template.yaml\"", &template), &[]);
    assert_eq!(outcome.broken(), Vec::<String>::new(), "{}", outcome.story());
    let result = outcome.result();
    assert_eq!(result["verdict"], "held", "{}", outcome.story());
    for endpoint in ["buy place", "buy look", "buy look settled", "miss look"] {
        assert!(result.to_string().contains(&format!("\"{endpoint}\"")), "{endpoint}: {}", outcome.story());
    }
}
