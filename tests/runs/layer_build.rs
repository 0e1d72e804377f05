//! `brownout layer build` as a user runs it: the content of the zip, that two builds are equal, and
//! that it works where Lambda unpacks it.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Cursor, Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

/// Longer than anything takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

fn build(out: &Path, more: &[&str]) -> (bool, String, String) {
    let output = Command::new(crate::support::BROWNOUT)
        .args(["layer", "build", "--without-plan-fetcher", "--out"])
        .arg(out)
        .args(more)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.success(), text(&output.stdout), text(&output.stderr))
}

/// Unpacks like Lambda; returns each file's permissions.
fn unpack(zip: &[u8], folder: &Path) -> BTreeMap<String, u32> {
    let mut zip = zip::ZipArchive::new(Cursor::new(zip)).unwrap();
    let mut modes = BTreeMap::new();
    for n in 0..zip.len() {
        let mut file = zip.by_index(n).unwrap();
        let name = file.name().unwrap().into_owned();
        let path = folder.join(&name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).unwrap();
        std::fs::write(&path, bytes).unwrap();
        let mode = file.unix_mode().unwrap() & 0o7777;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        modes.insert(name, mode);
    }
    modes
}

/// A process that ends with the test.
struct Ends(Child);

impl Drop for Ends {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A platform that accepts one registration and never ends the environment. It ends with the test's
/// process.
fn platform() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        let mut kept = Vec::new();
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut line = String::new();
            BufReader::new(&stream).read_line(&mut line).unwrap();
            if line.contains("/extension/register") {
                stream.write_all(b"HTTP/1.1 200 OK\r\nLambda-Extension-Identifier: e\r\nContent-Length: 2\r\n\r\n{}").unwrap();
            }
            kept.push(stream);
        }
    });
    address
}

/// Starts the unpacked extension and lets the unpacked scripts start a runtime.
fn works(opt: &Path) {
    let (platform, folder) = (platform(), tempfile::tempdir().unwrap());
    let listen = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let mut variables = vec![("AWS_LAMBDA_RUNTIME_API", platform.as_str()), ("BROWNOUT_LISTEN", &listen)];
    variables.push(("TMPDIR", folder.path().to_str().unwrap()));
    let extension = Command::new(opt.join("extensions/brownout-extension")).envs(variables.clone()).stdout(Stdio::null()).spawn();
    let _extension = Ends(extension.unwrap());
    let ready = folder.path().join(format!("brownout-{listen}.ready"));
    crate::support::within(PATIENCE, "the extension to listen", || ready.exists().then_some(()));
    let env = ["/usr/bin/env", "/bin/env"].into_iter().find(|path| Path::new(path).exists()).unwrap();
    let api = |command: &mut Command| {
        let output = command.envs(variables.clone()).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().find_map(|line| line.strip_prefix("AWS_LAMBDA_RUNTIME_API=")).map(str::to_owned)
    };
    assert_eq!(api(Command::new(opt.join("brownout/wrapper")).arg(env)).as_ref(), Some(&listen));
}

#[cfg(target_arch = "x86_64")]
#[test]
fn the_layer_is_complete_reproducible_and_works_where_it_is_unpacked() {
    let folder = tempfile::tempdir().unwrap();
    let (built, told, complaint) = build(folder.path(), &[]);
    assert!(built, "{complaint}");
    let zip = std::fs::read(folder.path().join("brownout-layer-x86_64.zip")).unwrap();
    let opt = folder.path().join("opt");
    let modes = unpack(&zip, &opt);
    let (run, read) = (0o755, 0o644);
    let expected = [
        ("brownout/LICENSE-APACHE", read),
        ("brownout/LICENSE-MIT", read),
        ("brownout/THIRD-PARTY.txt", read),
        ("brownout/sbom.cdx.json", read),
        ("brownout/wrapper", run),
        ("extensions/brownout-extension", run),
    ];
    assert_eq!(modes, expected.map(|(name, mode)| (name.to_owned(), mode)).into());
    owns_nothing_of_a_functions(&modes);

    let digest = std::fs::read_to_string(folder.path().join("brownout-layer-x86_64.zip.sha256")).unwrap();
    let (hex, name) = digest.trim().split_once("  ").unwrap();
    assert_eq!(name, "brownout-layer-x86_64.zip");
    let summed =
        Command::new("sha256sum").arg("--check").arg("brownout-layer-x86_64.zip.sha256").current_dir(folder.path()).output().unwrap();
    assert!(summed.status.success(), "{summed:?}");
    assert!(told.contains(hex) && told.contains("CodeSha256") && told.contains("brownout layer publish --from"), "{told}");
    assert!(told.contains("no glibc") || told.contains("glibc 2."), "{told}");

    bill_of_materials(&opt);
    let third_party = std::fs::read_to_string(opt.join("brownout/THIRD-PARTY.txt")).unwrap();
    assert!(third_party.contains("tokio") && third_party.contains("Permission is hereby granted"));
    let home = std::env::var("CARGO_MANIFEST_DIR").unwrap();
    let program = std::fs::read(opt.join("extensions/brownout-extension")).unwrap();
    assert!(!program.windows(home.len()).any(|part| part == home.as_bytes()), "a path of this machine is in the program");
    works(&opt);

    let again = tempfile::tempdir().unwrap();
    assert!(build(again.path(), &[]).0);
    assert!(std::fs::read(again.path().join("brownout-layer-x86_64.zip")).unwrap() == zip, "not the same twice");
}

/// Checks that the layer overwrites nothing of a function or another layer in `/opt`, because
/// Lambda unpacks the last layer over earlier ones. `extensions/` is shared, with a unique file
/// name; the other folders are on the search paths of runtimes.
fn owns_nothing_of_a_functions(modes: &BTreeMap<String, u32>) {
    let ours =
        |name: &str| name.starts_with("brownout/") || name.strip_prefix("extensions/").is_some_and(|file| file.starts_with("brownout-"));
    let others: Vec<_> = modes.keys().filter(|name| !ours(name)).collect();
    assert!(others.is_empty(), "a function's own would be replaced: {others:?}");
}

fn bill_of_materials(opt: &Path) {
    let sbom: Value = serde_json::from_slice(&std::fs::read(opt.join("brownout/sbom.cdx.json")).unwrap()).unwrap();
    assert_eq!((sbom["bomFormat"].as_str(), sbom["specVersion"].as_str()), (Some("CycloneDX"), Some("1.5")));
    let lock = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.lock")).unwrap();
    let version = lock.split("name = \"tokio\"\nversion = \"").nth(1).unwrap().split('"').next().unwrap();
    let components = sbom["components"].as_array().unwrap();
    let tokio = components.iter().find(|component| component["name"] == "tokio").unwrap();
    assert_eq!(tokio["purl"], format!("pkg:cargo/tokio@{version}"));
    assert_eq!(tokio["licenses"][0]["expression"], "MIT");
    let names: Vec<_> = components.iter().map(|component| component["name"].as_str().unwrap()).collect();
    for not_linked in ["tokio-macros", "syn", "proc-macro2", "hyper", "proptest", "tempfile", "parking_lot"] {
        assert!(!names.contains(&not_linked), "{not_linked} is not in the extension: {names:?}");
    }
    let references: Vec<_> = components.iter().map(|component| component["bom-ref"].as_str().unwrap()).collect();
    for edge in sbom["dependencies"].as_array().unwrap() {
        let ends = edge["dependsOn"].as_array().unwrap().iter().chain([&edge["ref"]]);
        assert!(ends.into_iter().all(|end| references.contains(&end.as_str().unwrap())), "{edge}");
    }
}

#[test]
fn a_layer_that_cannot_be_built_is_reported_with_a_fix() {
    let folder = tempfile::tempdir().unwrap();
    // A compiler without any standard library.
    let rustc = folder.path().join("rustc");
    std::fs::write(&rustc, "#!/bin/sh\nexit 0\n").unwrap();
    std::fs::set_permissions(&rustc, std::fs::Permissions::from_mode(0o755)).unwrap();
    let (built, _, complaint) = build(folder.path(), &["--arch", "arm64", "--rustc", rustc.to_str().unwrap()]);
    assert!(
        !built && complaint.contains("rustup target add aarch64-unknown-linux-gnu") && complaint.contains("docs/layer.md"),
        "{complaint}"
    );
    let (built, _, complaint) = build(folder.path(), &["--glibc", "two"]);
    assert!(!built && complaint.contains("`two` is no version of glibc"), "{complaint}");
}
