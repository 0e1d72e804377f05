//! What every function's program must do before it answers an event. Each program comes with a
//! variable that it cannot start without.

use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

/// The variables that a function without settings reports as missing before it ends.
fn missing(function: &str, listen: &str, folder: &Path) -> Vec<String> {
    let mut command = Command::new(function);
    command.env_clear().env("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9001").env("BROWNOUT_LISTEN", listen).env("TMPDIR", folder);
    let output = command.output().unwrap();
    assert!(!output.status.success(), "{function} started without settings");
    let said = String::from_utf8(output.stderr).unwrap();
    said.split('`').skip(1).step_by(2).map(ToOwned::to_owned).collect()
}

/// At AWS a Rust function's package has its own `bootstrap`, so no script of the layer runs before
/// it: each program points itself at the extension. The test writes the extension's ready file with
/// a variable in it, which arrives only in a program that reads the file.
pub fn point_themselves_at_the_extension(programs: &[(&str, &str)]) {
    let extension = TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = extension.local_addr().unwrap().to_string();
    for (program, _) in programs {
        let folder = tempfile::tempdir().unwrap();
        let alone = missing(program, &listen, folder.path());
        let first = alone.first().unwrap_or_else(|| panic!("{program} needs no setting"));
        let ready = format!("{}\n{first}=1\n", std::process::id());
        std::fs::write(folder.path().join(format!("brownout-{listen}.ready")), ready).unwrap();
        assert!(!missing(program, &listen, folder.path()).contains(first), "{program} does not point itself at the extension");
    }
}

/// If a variable is missing, the program does not start and names it.
pub fn name_what_is_missing(programs: &[(&str, &str)]) {
    let folder = tempfile::tempdir().unwrap();
    for (program, variable) in programs {
        let named = missing(program, "127.0.0.1:9", folder.path());
        assert!(named.iter().any(|name| name == variable), "{program}: {named:?}");
    }
}

/// The tests of a system's programs, each with a variable that it cannot start without.
macro_rules! programs {
    ($($program:literal: $variable:literal,)+) => {
        const PROGRAMS: &[(&str, &str)] = &[$((env!(concat!("CARGO_BIN_EXE_", $program)), $variable)),+];

        #[test]
        fn every_function_points_itself_at_the_extension() {
            programs::point_themselves_at_the_extension(PROGRAMS);
        }

        #[test]
        fn a_missing_variable_fails_the_start_and_is_named() {
            programs::name_what_is_missing(PROGRAMS);
        }
    };
}
