//! What the extension costs an invocation when it injects nothing, beside a byte forwarder in the same run. It asserts nothing.

#[path = "support/extension.rs"]
mod binary;
#[path = "support/lambda.rs"]
mod lambda;
#[path = "support/mod.rs"]
mod support;

use std::net::SocketAddr;
use std::time::Duration;

use lambda::Platform;
use tokio::net::{TcpListener, TcpStream};

use support::{Done, Part, has_flag, median, processor_time, quantile, row, setting, table};

/// Between two events.
const REST: Duration = Duration::from_micros(500);
/// Invocations between two changes of the path.
const BLOCK: usize = 100;
const ROOT: &str = "1-5759e988-bd862e3fe1be46a994272793";

fn main() -> Done {
    match support::role() {
        Some(_) => forward(setting("UPSTREAM")?),
        None if support::is_wanted() => measure(if has_flag("--short") { 5 } else { 31 }),
        None => Ok(()),
    }
}

/// One way from platform to runtime.
struct Path {
    name: &'static str,
    platform: Platform,
    /// What stands in between.
    part: Option<Part>,
    /// The p50 of each block less that of the direct path's, in microseconds.
    added: Vec<f64>,
    /// The same over the forwarder's.
    ratios: Vec<f64>,
    /// Processor time of what stands in between, in microseconds an invocation.
    cpu: Vec<f64>,
}

fn paths(payload: &str) -> Done<Vec<Path>> {
    let mut paths = Vec::new();
    let extension = support::program("brownout-extension")?;
    for name in ["direct", "byte forwarder", "extension"] {
        let platform = Platform::start(REST)?;
        let (part, address) = match name {
            "byte forwarder" => {
                let mut part = Part::start("forwarder", &[("UPSTREAM", platform.address.to_string())])?;
                let told = part.tell()?;
                let address = told.get("address").and_then(serde_json::Value::as_str).ok_or("no address")?.parse()?;
                (Some(part), address)
            }
            "extension" => {
                let (part, address) = binary::start(&extension, platform.address, "file:/nonexistent/plan.json")?;
                (Some(part), address)
            }
            _ => (None, platform.address),
        };
        lambda::start_runtime(address, payload.to_owned())?;
        paths.push(Path { name, platform, part, added: Vec::new(), ratios: Vec::new(), cpu: Vec::new() });
    }
    Ok(paths)
}

fn measure(blocks: usize) -> Done {
    let payload = format!("{{\"pad\":\"{}\"}}", "x".repeat(1_014));
    let mut paths = paths(&payload)?;
    for path in &mut paths {
        p50(path, &payload)?;
    }
    support::wait_for_quiet();
    for _ in 0..blocks {
        let (mut direct, mut floor) = (f64::NAN, f64::NAN);
        for path in &mut paths {
            let before = path.part.as_ref().map(|part| processor_time(part.pid()));
            let found = p50(path, &payload)?;
            if let (Some(part), Some(before)) = (&path.part, before) {
                path.cpu.push((processor_time(part.pid()).saturating_sub(before)).as_secs_f64() * 1e6 / BLOCK as f64);
            }
            match path.name {
                "direct" => direct = found,
                "byte forwarder" => floor = found - direct,
                _ => {}
            }
            path.added.push(found - direct);
            path.ratios.push((found - direct) / floor);
        }
    }
    let mut rows = vec![row!["", "x byte forwarder", "added p50", "CPU / invocation", "x byte forwarder"]];
    let floor = paths.iter_mut().find(|path| path.name == "byte forwarder").map_or(f64::NAN, |path| median(&mut path.cpu));
    for path in paths.iter_mut().filter(|path| path.part.is_some()) {
        let cpu = median(&mut path.cpu);
        let (ratio, added) = (median(&mut path.ratios), median(&mut path.added));
        rows.push(row![path.name, format!("{ratio:.2}"), format!("{added:.0} us"), format!("{cpu:.0} us"), format!("{:.2}", cpu / floor)]);
    }
    table(&format!("What stands between platform and runtime costs at 1 KB (medians of {blocks} alternating blocks of {BLOCK})"), &rows);
    Ok(())
}

/// The median time of a block of invocations, in microseconds.
fn p50(path: &mut Path, payload: &str) -> Done<f64> {
    let mut times = Vec::with_capacity(BLOCK);
    for _ in 0..BLOCK {
        times.push(path.platform.invoke(ROOT, payload)?.as_secs_f64() * 1e6);
    }
    Ok(quantile(&mut times, 0.5))
}

/// The part `forwarder`: copies bytes between two sockets and knows nothing of them.
fn forward(upstream: SocketAddr) -> Done {
    support::end_with_parent();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        println!("{}", serde_json::json!({ "address": listener.local_addr()?.to_string() }));
        loop {
            let (mut near, _) = listener.accept().await?;
            let mut far = TcpStream::connect(upstream).await?;
            near.set_nodelay(true)?;
            far.set_nodelay(true)?;
            tokio::spawn(async move { tokio::io::copy_bidirectional(&mut near, &mut far).await });
        }
    })
}
