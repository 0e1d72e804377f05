//! The generator compared with stock goose: the cost of a request, the results for a server that
//! pauses, and the lateness. Server and generators are separate processes; it asserts nothing.

#[path = "load/generators.rs"]
mod generators;
#[path = "load/peers.rs"]
mod peers;
#[path = "load/server.rs"]
mod server;
#[path = "support/mod.rs"]
mod support;

use peers::{Cost, Peer, Target};
use serde_json::Value;
use support::{Done, Part, has_flag, median, number, row, table};

fn main() -> Done {
    match support::role().as_deref() {
        Some("server") => server::serve(),
        Some("ours") => generators::ours(),
        Some("goose") => generators::stock_goose(),
        Some(other) => Err(format!("there is no part `{other}`").into()),
        None if support::is_wanted() => measure(),
        None => Ok(()),
    }
}

fn measure() -> Done {
    if has_flag("--peers") {
        let seconds = if has_flag("--short") { 4 } else { 10 };
        paced(seconds)?;
        return encrypted(seconds);
    }
    if !has_flag("--no-cost") {
        cost(if has_flag("--short") { 1 } else { 5 })?;
    }
    standing_still(if has_flag("--short") { 10 } else { 30 })?;
    lateness(if has_flag("--short") { 3 } else { 10 })
}

/// A server in `mode` and its address.
fn start_server(mode: &str) -> Done<(Part, String)> {
    start_server_with(mode, &[])
}

/// The same with more settings.
fn start_server_with(mode: &str, more: &[(&str, String)]) -> Done<(Part, String)> {
    let settings = [&[("MODE", mode.to_owned()), ("CORE", "0".to_owned())], more].concat();
    let mut server = Part::start("server", &settings)?;
    let told = server.tell()?;
    let address = told.get("address").and_then(Value::as_str).ok_or("the server told no address")?.to_owned();
    Ok((server, address))
}

/// Runs a generator to its end and returns its figures.
fn generate(role: &str, address: &str, rate: f64, seconds: u32, users: u32, threads: u32) -> Done<Value> {
    let settings = [
        ("ADDRESS", address.to_owned()),
        ("RATE", rate.to_string()),
        ("SECONDS", seconds.to_string()),
        ("USERS", users.to_string()),
        ("THREADS", threads.to_string()),
    ];
    support::wait_for_quiet();
    Part::start(role, &settings)?.tell()
}

/// Requests per second of processor time, with 50 connections to a server that answers at once.
fn cost(blocks: usize) -> Done {
    // As fast as possible: a rate that no generator here reaches, cut off after the time. And
    // paced, where every request waits until it is due.
    let candidates = [
        ("stock goose, user.get, #[tokio::main]", "goose", 0.0, 2),
        ("stock goose, user.get, one thread", "goose", 0.0, 1),
        ("brownout, back to back", "ours", 200_000.0, 1),
        ("stock goose, throttled at 4,000/s", "goose", 4_000.0, 2),
        ("brownout, paced at 4,000/s", "ours", 4_000.0, 1),
    ];
    let mut per_second = vec![Vec::new(); candidates.len()];
    let mut ratios = vec![Vec::new(); candidates.len()];
    let (_server, address) = start_server("instant")?;
    for _ in 0..blocks {
        let mut floor = f64::NAN;
        for (index, (_, role, rate, threads)) in candidates.iter().enumerate() {
            let told = generate(role, &address, *rate, 2, 50, *threads)?;
            let value = number(&told, "answered") / number(&told, "cpu_s");
            if index == 0 {
                floor = value;
            }
            if let (Some(values), Some(ratios)) = (per_second.get_mut(index), ratios.get_mut(index)) {
                values.push(value);
                ratios.push(value / floor);
            }
        }
    }
    let mut rows = vec![row!["", "x stock goose", "answered / CPU-s"]];
    for ((name, ..), (values, ratios)) in candidates.iter().zip(per_second.iter_mut().zip(&mut ratios)) {
        rows.push(row![name, format!("{:.2}", median(ratios)), format!("{:.0}", median(values))]);
    }
    table(&format!("What a request costs (50 connections, medians of {blocks} alternating blocks; bar 2.4 x stock goose)"), &rows);
    Ok(())
}

/// What a request costs at a constant arrival rate, and how far from its time it leaves.
fn paced(seconds: u32) -> Done {
    let (_server, address) = start_server("instant")?;
    let target = Target { url: format!("http://{address}/"), ca: None, http2: false };
    let peers = found(&[Peer::Brownout, Peer::Oha, Peer::K6]);
    let mut head = row!["a second"];
    head.extend(peers.iter().map(|peer| peer.name()).chain(["stock goose, throttled", "late, p50", "late, p99"]).map(str::to_owned));
    let mut rows = vec![head];
    for rate in [500.0, 2_000.0, 4_000.0, 10_000.0] {
        let mut row = row![rate];
        for peer in &peers {
            row.push(peer.cost(&target, rate, seconds)?.shown());
        }
        let goose = generate("goose", &address, rate, seconds, 50, 1)?;
        let sent = number(&goose, "sent");
        row.push(Cost { due: rate * f64::from(seconds), sent, cpu_s: number(&goose, "cpu_s") }.shown());
        let ours = generate("ours", &address, rate, seconds, 50, 1)?;
        row.extend(["late_p50", "late_p99"].map(|key| format!("{:.3} ms", number(&ours, key))));
        rows.push(row);
    }
    table(&format!("Paced for {seconds} s: processor time a request on one core (bar: at most oha's)"), &rows);
    Ok(())
}

/// Those of the generators that this machine has; says which it has not.
fn found(peers: &[Peer]) -> Vec<Peer> {
    let (here, missing): (Vec<_>, Vec<_>) = peers.iter().partition(|peer| peer.program().is_some());
    missing.iter().for_each(|peer: &Peer| println!("`{}` is not on this machine: it is not measured", peer.name()));
    here
}

/// Requests a second over TLS.
const ENCRYPTED: f64 = 4_000.0;

/// What a request costs over TLS.
fn encrypted(seconds: u32) -> Done {
    let folder = tempfile::tempdir()?;
    let ca = folder.path().join("ca.pem");
    let (_server, address) = start_server_with("instant", &[("CA", ca.display().to_string())])?;
    let (_, port) = address.rsplit_once(':').ok_or("the server's address has no port")?;
    let mut rows = vec![row!["", "HTTP/1.1", "HTTP/2"]];
    for peer in found(&[Peer::Brownout, Peer::Oha]) {
        let mut row = row![peer.name()];
        for http2 in [false, true] {
            let target = Target { url: format!("https://localhost:{port}/"), ca: Some(ca.clone()), http2 };
            row.push(peer.cost(&target, ENCRYPTED, seconds)?.shown());
        }
        rows.push(row);
    }
    table(&format!("Over TLS at {ENCRYPTED} a second for {seconds} s: processor time a request on one core (bar: at most oha's)"), &rows);
    Ok(())
}

/// 500 requests a second to a server that pauses for 1 s in every 5 s.
fn standing_still(seconds: u32) -> Done {
    let (_server, address) = start_server("stands-still")?;
    let ours = generate("ours", &address, 500.0, seconds, 600, 1)?;
    let goose = generate("goose", &address, 500.0, seconds, 50, 2)?;
    let mut rows = vec![row!["", "truth", "brownout", "off by", "stock goose, throttled"]];
    let due = f64::from(seconds) * 500.0;
    rows.push(row!["sent", due, number(&ours, "sent"), "", number(&goose, "sent")]);
    for (name, key) in [("p50", "p50"), ("p90", "p90"), ("p95", "p95"), ("p99", "p99"), ("p99.9", "p999")] {
        let (found, truth) = (number(&ours, key), number(&ours, &format!("true_{key}")));
        let off = if truth < 1.0 { format!("{:+.3} ms", found - truth) } else { format!("{:+.2} %", (found / truth - 1.0) * 100.0) };
        let shown = |value: f64| format!("{value:.2} ms");
        rows.push(row![name, shown(truth), shown(found), off, shown(number(&goose, key))]);
    }
    rows.push(row!["peak memory", "", format!("{:.1} MB", number(&ours, "peak_mb")), "", format!("{:.1} MB", number(&goose, "peak_mb"))]);
    table(
        &format!("500/s for {seconds} s, the server stands still 1 s in 5 s (bars: all sent, 2 % from p90 on, 0.25 ms at p50, 30 MB)"),
        &rows,
    );
    Ok(())
}

/// 500 requests a second to a server that takes 11 ms.
fn lateness(seconds: u32) -> Done {
    let (_server, address) = start_server("eleven")?;
    let ours = generate("ours", &address, 500.0, seconds, 50, 1)?;
    let servers = server::own_median(&address)?;
    let rows = [
        row!["p50 of brownout - p50 of the server", format!("{:.3} ms", number(&ours, "p50") - servers), "bar 0.3 ms"],
        row!["p50 of the server itself", format!("{servers:.3} ms"), ""],
        row!["start lateness p50", format!("{:.3} ms", number(&ours, "late_p50")), "bar 0.1 ms"],
        row!["start lateness p99", format!("{:.3} ms", number(&ours, "late_p99")), "bar 1 ms"],
        row!["delivered rate - intended", format!("{:+.3} %", (number(&ours, "delivered_per_s") / 500.0 - 1.0) * 100.0), "bar 0.1 %"],
        row!["peak memory", format!("{:.1} MB", number(&ours, "peak_mb")), "bar 30 MB"],
    ];
    table(&format!("500/s for {seconds} s against a server of 11 ms"), &rows);
    Ok(())
}
