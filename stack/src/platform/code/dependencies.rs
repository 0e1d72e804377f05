//! Tells which declared dependencies of a function are not installed beside its code: at AWS they
//! would be missing too. It installs nothing and starts nothing.

use std::path::{Path, PathBuf};

use serde_json::Value;
use template::blueprint::Managed;

/// What Lambda's Python runtimes contain. Source: Lambda, "Building Lambda functions with Python":
/// the SDK and what it needs.
const IN_PYTHON: [&str; 8] = ["boto3", "botocore", "s3transfer", "jmespath", "urllib3", "python_dateutil", "six", "awslambdaric"];

/// A notice with the fix, if dependencies are missing.
pub(super) fn missing(function: &str, runtime: &Managed, folder: &Path, opt: Option<&Path>) -> Option<String> {
    let (file, fix, absent) = match runtime {
        Managed::Python(version) => {
            ("requirements.txt", format!("pip install -r requirements.txt -t {}", folder.display()), of_python(folder, opt, version))
        }
        Managed::Node(version) => ("package.json", format!("npm install` in `{}", folder.display()), of_node(folder, opt, version)),
    };
    (!absent.is_empty()).then(|| {
        format!(
            "function `{function}` declares packages in `{file}` that are not installed beside its code: {}; run `sam build`, or `{fix}`",
            absent.join(", ")
        )
    })
}

fn of_python(folder: &Path, opt: Option<&Path>, version: &str) -> Vec<String> {
    let Ok(text) = std::fs::read_to_string(folder.join("requirements.txt")) else { return Vec::new() };
    let of_layers = opt.into_iter().flat_map(|opt| [opt.join("python"), opt.join(format!("python/lib/{version}/site-packages"))]);
    let found: Vec<String> = of_layers.chain([folder.to_owned()]).flat_map(|folder| names(&folder)).collect();
    let is_there = |wanted: &str| {
        found.iter().any(|name| {
            let name = normal(name.trim_end_matches(".py"));
            name == wanted || name.strip_prefix(wanted).is_some_and(|rest| rest.starts_with('_') && is_description(&rest.replace('_', ".")))
        })
    };
    text.lines().filter_map(requirement).filter(|name| !IN_PYTHON.contains(&name.as_str()) && !is_there(name)).collect()
}

/// `.1.2.3.dist.info`, what follows the name of an installed package.
fn is_description(rest: &str) -> bool {
    rest.ends_with(".dist.info") || rest.ends_with(".egg.info")
}

/// The normal form of a package's name, with underscores. Source: PEP 503.
fn normal(name: &str) -> String {
    name.to_lowercase().replace(['-', '.'], "_")
}

/// The package that a line requires always: neither an option nor a condition on the machine.
fn requirement(line: &str) -> Option<String> {
    let line = line.split(" #").next().unwrap_or_default().trim();
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let end = line.find(|c| !is_name(c)).unwrap_or(line.len());
    let (name, rest) = line.split_at_checked(end)?;
    let begins = name.starts_with(|c: char| c.is_ascii_alphanumeric());
    (begins && !rest.contains(';') && !rest.contains("://") && !rest.starts_with([':', '/'])).then(|| normal(name))
}

fn of_node(folder: &Path, opt: Option<&Path>, version: &str) -> Vec<String> {
    let text = std::fs::read_to_string(folder.join("package.json")).unwrap_or_default();
    let package: Value = serde_json::from_str(&text).unwrap_or_default();
    let number = version.trim_start_matches("nodejs").trim_end_matches(".x");
    let of_layers =
        opt.into_iter().flat_map(|opt| [opt.join("nodejs/node_modules"), opt.join(format!("nodejs/node{number}/node_modules"))]);
    let folders: Vec<PathBuf> = of_layers.chain([folder.join("node_modules")]).collect();
    let declared = package.get("dependencies").and_then(Value::as_object);
    // Lambda's Node runtimes contain the SDK. Source: Lambda, "Building Lambda functions with Node.js".
    let in_runtime = |name: &str| name.starts_with("@aws-sdk/") || name.starts_with("@smithy/");
    let names = declared.into_iter().flat_map(|declared| declared.keys());
    names.filter(|name| !in_runtime(name) && !folders.iter().any(|folder| folder.join(name).is_dir())).cloned().collect()
}

fn names(folder: &Path) -> Vec<String> {
    std::fs::read_dir(folder).into_iter().flatten().flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_packages_of_python_are_named_with_the_fix() {
        let folder = tempfile::tempdir().unwrap();
        let python = Managed::Python("python3.12".into());
        let told = |opt: Option<&Path>| missing("f", &python, folder.path(), opt);
        assert_eq!(told(None), None);
        let text = "# our own\nboto3>=1.26\n-r other.txt\nrequests==2.31 # http\nPyYAML[x]>=6\naws-lambda-powertools\nin-a-layer\n\
                    pywin32; sys_platform == 'win32'\ngit+https://github.com/a/b\nthere\n";
        std::fs::write(folder.path().join("requirements.txt"), text).unwrap();
        std::fs::create_dir(folder.path().join("requests-2.31.0.dist-info")).unwrap();
        std::fs::write(folder.path().join("there.py"), "").unwrap();
        let opt = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(opt.path().join("python/lib/python3.12/site-packages/in_a_layer")).unwrap();
        let notice = told(Some(opt.path())).unwrap();
        assert!(notice.contains("code: pyyaml, aws_lambda_powertools; run `sam build`, or `pip install"), "{notice}");
    }

    #[test]
    fn missing_packages_of_node_are_named_with_the_fix() {
        let folder = tempfile::tempdir().unwrap();
        let node = Managed::Node("nodejs22.x".into());
        let text = r#"{"dependencies": {"express": "^4", "@aws-sdk/client-s3": "^3", "@my/part": "1"}, "devDependencies": {"jest": "1"}}"#;
        std::fs::write(folder.path().join("package.json"), text).unwrap();
        std::fs::create_dir_all(folder.path().join("node_modules/@my/part")).unwrap();
        let notice = missing("f", &node, folder.path(), None).unwrap();
        assert!(notice.contains("code: express; run `sam build`, or `npm install` in `"), "{notice}");
    }
}
