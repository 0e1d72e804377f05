//! The capacity of the local stack: rising rates through gateway, cached authorizer, extension and
//! function, as `brownout up` starts them. It asserts nothing.

#[path = "support/mod.rs"]
mod support;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use load::plain;
use run_folder::Addresses;
use serde_json::json;
use support::{Done, Part, has_flag, number, peak_memory, quantile, row, setting, table};

const PATH: &str = "/dev/appointment/PI-T123";

fn main() -> Done {
    match support::role() {
        Some(_) => generate(),
        None if support::is_wanted() => measure(if has_flag("--short") { 3 } else { 10 }),
        None => Ok(()),
    }
}

fn measure(seconds: u32) -> Done {
    let folder = tempfile::tempdir()?;
    let marker = format!("bench-{}", std::process::id());
    let mut command = Command::new(support::BROWNOUT);
    command.args(["up", "--systems", "clinic", "--harness", "5s", "--marker", &marker, "--folder"]).arg(folder.path());
    let stack = Stack { part: Part::spawn(&mut command)?, marker };
    let addresses = addresses(folder.path())?;
    let token = sign_in(&addresses)?;
    let mut rows = vec![row![
        "intended",
        "achieved",
        "p50",
        "p99",
        "p99.9",
        "failed",
        "CPU stack",
        "CPU generator",
        "CPU of others",
        "late p99",
        "queued",
        "new environments"
    ]];
    // The first rate is not shown, because environments start during it.
    for (index, rate) in [200.0, 200.0, 500.0, 1_000.0, 1_500.0, 2_000.0].into_iter().enumerate() {
        let settings = [
            ("ADDRESS", addresses.gateway.clone()),
            ("TOKEN", token.clone()),
            ("RATE", rate.to_string()),
            ("SECONDS", seconds.to_string()),
        ];
        support::wait_for_quiet();
        let (before, health) = (stack.processor_time(), health(folder.path()));
        let (everybody, from) = (support::everybodys_processor_time(), Instant::now());
        let told = Part::start("generator", &settings)?.tell()?;
        let everybody = (support::everybodys_processor_time() - everybody) / from.elapsed().as_secs_f64();
        let cpu = (stack.processor_time() - before) / number(&told, "wall_s");
        std::thread::sleep(Duration::from_millis(1_100));
        let later = self::health(folder.path());
        if index > 0 {
            let ms = |name| format!("{:.2} ms", number(&told, name));
            let cores = |cores: f64| format!("{cores:.2} cores");
            rows.push(row![
                format!("{rate}/s"),
                format!("{:.1}/s", number(&told, "achieved")),
                ms("p50"),
                ms("p99"),
                ms("p999"),
                number(&told, "failed"),
                cores(cpu),
                cores(number(&told, "cpu")),
                cores((everybody - cpu - number(&told, "cpu")).max(0.0)),
                ms("late_p99"),
                later.queued - health.queued,
                later.environments - health.environments,
            ]);
        }
    }
    table(&format!("GET {PATH} for {seconds} s a rate (bar: 1,000/s with p99 below 20 ms on 2 cores, generator included)"), &rows);
    Ok(())
}

/// The stack under load; taken down when dropped, if necessary by its guard process.
struct Stack {
    part: Part,
    marker: String,
}

impl Stack {
    /// Seconds of processor time that the stack's living processes have used.
    fn processor_time(&self) -> f64 {
        let environments = stack::guard::marked(&self.marker).into_iter().map(|pid| pid.unsigned_abs());
        environments.chain([self.part.pid()]).map(|pid| support::counted_time(&pid.to_string(), support::Counted::Itself)).sum()
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        let pid = i32::try_from(self.part.pid()).ok().and_then(rustix::process::Pid::from_raw);
        let _ = pid.map(|pid| rustix::process::kill_process(pid, rustix::process::Signal::TERM));
        let began = Instant::now();
        while Path::new(&format!("/proc/{}/fd/0", self.part.pid())).exists() && began.elapsed() < Duration::from_secs(10) {
            std::thread::sleep(Duration::from_millis(50));
        }
        let _ = stack::guard::end_all(&self.marker);
    }
}

fn addresses(folder: &Path) -> Done<Addresses> {
    let began = Instant::now();
    loop {
        if let Some(addresses) = std::fs::read(folder.join("stack.json")).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()) {
            return Ok(addresses);
        }
        if began.elapsed() > Duration::from_secs(120) {
            return Err("the stack does not come up".into());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The platform's counts so far.
fn health(folder: &Path) -> run_folder::Health {
    std::fs::read(folder.join("platform.json")).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
}

fn sign_in(addresses: &Addresses) -> Done<String> {
    let pool = addresses.pool("clinic-external").ok_or("there is no pool of clients")?;
    let parameters = json!({ "USERNAME": "Dave", "PASSWORD": run_folder::addresses::PASSWORD });
    let body = json!({ "AuthFlow": "USER_PASSWORD_AUTH", "ClientId": pool.client_id, "AuthParameters": parameters }).to_string();
    let mut stream = TcpStream::connect(&addresses.services)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    write!(
        stream,
        "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/x-amz-json-1.1\r\n\
         X-Amz-Target: AWSCognitoIdentityProviderService.InitiateAuth\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (_, token) = answer.split_once("\"IdToken\":\"").ok_or("the sign-in was refused")?;
    Ok(token.split('"').next().unwrap_or_default().to_owned())
}

/// The part `generator`.
fn generate() -> Done {
    support::end_with_parent();
    let (address, token, rate, seconds): (String, String, f64, u64) =
        (setting("ADDRESS")?, setting("TOKEN")?, setting("RATE")?, setting("SECONDS")?);
    let bearer = format!("Bearer {token}");
    let headers = [("clienttype", "external"), ("authorization", bearer.as_str())];
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let load = plain::start_with(&address, PATH, &headers, rate, Duration::from_secs(seconds), 100).await?;
        let (before, started) = (support::own_processor_time(), load.started().ok_or("it did not begin")?);
        let samples = load.finished().await?;
        let cpu = support::own_processor_time() - before;
        let ms = |duration: Duration| duration.as_secs_f64() * 1e3;
        let last = samples.iter().map(|sample| sample.due + sample.response).max().unwrap_or_default();
        let mut took: Vec<f64> = samples.iter().map(|sample| ms(sample.response)).collect();
        let mut late: Vec<f64> = samples.iter().map(|sample| ms(sample.response.saturating_sub(sample.service))).collect();
        let told = json!({
            "achieved": samples.len() as f64 / last.as_secs_f64(),
            "p50": quantile(&mut took, 0.5),
            "p99": quantile(&mut took, 0.99),
            "p999": quantile(&mut took, 0.999),
            "late_p99": quantile(&mut late, 0.99),
            "failed": samples.iter().filter(|sample| sample.outcome != reports::latencies::Outcome::Answered).count(),
            "cpu": cpu.as_secs_f64() / last.as_secs_f64(),
            "wall_s": started.elapsed().as_secs_f64(),
            "peak_mb": peak_memory(),
        });
        println!("{told}");
        Ok(())
    })
}
