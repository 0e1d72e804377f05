//! Comparison with the npm package `failure-lambda` 0.4.4: not a proxy but a wrapper in the
//! handler's own process, which reads its plan in every invocation. Its plan comes from AppConfig's
//! local endpoint, which this bench plays; the AWS SDK that it loads but then does not use is an
//! empty module.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::lambda::Platform;
use crate::single::{REST, p50};
use crate::support::{Done, Part, median, processor_time, row, table};

const BLOCK: usize = 100;

/// Prints what the wrapper adds to a plain Node runtime, or why that is skipped.
pub fn compare(blocks: usize) -> Done {
    match installed().and_then(|folder| measured(&folder, blocks)) {
        Ok(()) => Ok(()),
        Err(reason) => {
            println!("\nfailure-lambda was left out: {reason}");
            Ok(())
        }
    }
}

fn installed() -> Done<PathBuf> {
    let folder = std::env::current_exe()?.ancestors().nth(3).ok_or("no target folder")?.join("failure-lambda");
    std::fs::create_dir_all(folder.join("node_modules/aws-sdk"))?;
    std::fs::write(folder.join("package.json"), "{\"private\":true}")?;
    std::fs::write(folder.join("runtime.js"), include_str!("runtime.js"))?;
    let npm = Command::new("npm")
        .args(["install", "--no-audit", "--no-fund", "--ignore-scripts", "--silent", "failure-lambda@0.4.4"])
        .current_dir(&folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .map_err(|error| format!("npm cannot be started ({error})"))?;
    if !npm.success() && !folder.join("node_modules/failure-lambda").is_dir() {
        return Err("npm could not install it".into());
    }
    std::fs::create_dir_all(folder.join("node_modules/aws-sdk"))?;
    std::fs::write(folder.join("node_modules/aws-sdk/index.js"), "exports.SSM = class {};\n")?;
    Ok(folder)
}

/// AppConfig's local endpoint with a plan that is switched off.
fn app_config() -> Done<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    std::thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            std::thread::spawn(move || {
                let mut request = [0; 4 << 10];
                while stream.read(&mut request).is_ok_and(|read| read > 0) {
                    let body = "{\"isEnabled\":false}";
                    let answer =
                        format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}", body.len());
                    if stream.write_all(answer.as_bytes()).is_err() {
                        return;
                    }
                }
            });
        }
    });
    Ok(address)
}

fn measured(folder: &Path, blocks: usize) -> Done {
    let app_config = app_config()?;
    let payload = crate::payload(1 << 10);
    let mut ways = Vec::new();
    for wrapped in [false, true] {
        let platform = Platform::start(REST)?;
        let mut node = Command::new("node");
        node.arg("runtime.js").current_dir(folder).env("AWS_LAMBDA_RUNTIME_API", platform.address.to_string()).env_remove("WRAPPED");
        if wrapped {
            node.env("WRAPPED", "1").env("FAILURE_APPCONFIG_CONFIGURATION", "c").env("FAILURE_APPCONFIG_APPLICATION", "a");
            node.env("FAILURE_APPCONFIG_ENVIRONMENT", "e").env("AWS_APPCONFIG_EXTENSION_HTTP_PORT", app_config.port().to_string());
        }
        ways.push((platform, Part::spawn(&mut node)?, Vec::new(), Vec::new()));
    }
    for round in 0..=blocks {
        for (platform, part, times, cpu) in &mut ways {
            let before = processor_time(part.pid());
            let found = p50(platform, &payload, BLOCK)?;
            let used = processor_time(part.pid()).saturating_sub(before).as_secs_f64() * 1e6 / BLOCK as f64;
            // The first round is a warm-up.
            if round > 0 {
                times.push(found);
                cpu.push(used);
            }
        }
    }
    let [plain, wrapped] = ways.as_mut_slice() else { return Ok(()) };
    let added = median(&mut wrapped.2) - median(&mut plain.2);
    let cpu = median(&mut wrapped.3) - median(&mut plain.3);
    let rows = [
        row!["", "added p50", "CPU an invocation"],
        row!["failure-lambda 0.4.4, switched off", format!("{added:.0} us"), format!("{cpu:.0} us")],
    ];
    table("The peer on npm, at 1 KB, added to a plain runtime of Node (a wrapper in the handler's process, not a proxy)", &rows);
    Ok(())
}
