//! Generators as people start them: brownout's command, and those of others that this machine has. Each runs on
//! one core, to which the server does not belong.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
use serde_json::Value;

use crate::support::{BROWNOUT, Counted, Done, counted_time, number, wait_for_quiet};

/// The core of the generator; the server's is the other.
const CORE: &str = "1";

/// Of a run that is taken away from the longer one, so that starting and judging do not count.
const SHORT_S: u32 = 2;

/// Connections of each.
const CONNECTIONS: &str = "50";

/// A generator.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    Brownout,
    /// With the correction for coordinated omission.
    Oha,
    K6,
}

/// Where the requests go.
pub struct Target {
    pub url: String,
    /// Trusted, in PEM; `None` without TLS.
    pub ca: Option<PathBuf>,
    pub http2: bool,
}

/// What a generator used.
pub struct Cost {
    /// Requests that were to be sent.
    pub due: f64,
    /// Requests that were sent.
    pub sent: f64,
    /// Seconds of processor time.
    pub cpu_s: f64,
}

impl Cost {
    /// In a table.
    pub fn shown(&self) -> String {
        format!("{:.1} us, {:.1} % sent", self.cpu_s / self.sent * 1e6, self.sent / self.due * 100.0)
    }
}

impl Peer {
    /// Its name in a table.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Brownout => "brownout",
            Self::Oha => "oha",
            Self::K6 => "k6",
        }
    }

    /// Its program: brownout's own, the one that a variable names, such as `OHA`, or the one on the path. `None`
    /// if it is not on this machine.
    pub fn program(self) -> Option<PathBuf> {
        if self == Self::Brownout {
            return Some(BROWNOUT.into());
        }
        let named = std::env::var_os(self.name().to_uppercase()).map(PathBuf::from);
        let path = std::env::var_os("PATH").unwrap_or_default();
        named.or_else(|| std::env::split_paths(&path).map(|folder| folder.join(self.name())).find(|file| file.is_file()))
    }

    /// What `seconds` of requests cost at a rate a second.
    pub fn cost(self, target: &Target, rate: f64, seconds: u32) -> Done<Cost> {
        let ((before, start_s), (sent, cpu_s)) = (self.run(target, rate, SHORT_S)?, self.run(target, rate, SHORT_S + seconds)?);
        Ok(Cost { due: rate * f64::from(seconds), sent: sent - before, cpu_s: cpu_s - start_s })
    }

    /// Requests that were sent, and seconds of processor time.
    fn run(self, target: &Target, rate: f64, seconds: u32) -> Done<(f64, f64)> {
        let program = self.program().ok_or_else(|| format!("`{}` is not on this machine", self.name()))?;
        let folder = tempfile::tempdir()?;
        let mut command = Command::new("taskset");
        command.args(["--cpu-list", CORE]).arg(program).args(self.arguments(target, rate, seconds, folder.path())?);
        wait_for_quiet();
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let pid = Pid::from_child(&child);
        // Its output is one line, or little: it does not fill the pipe.
        waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT)?;
        // It has ended and is still there, for it is not waited for yet; what it waited for itself counts too.
        let stat = pid.as_raw_nonzero().to_string();
        let cpu_s = counted_time(&stat, Counted::Itself) + counted_time(&stat, Counted::Children);
        let output = child.wait_with_output()?;
        let sent = self.sent(&output.stdout, folder.path()).map_err(|why| format!("`{}`: {why}", self.name()))?;
        Ok((sent, cpu_s))
    }

    fn arguments(self, target: &Target, rate: f64, seconds: u32, folder: &Path) -> Done<Vec<String>> {
        let mut all: Vec<String> = Vec::new();
        let mut add = |words: &[&str]| all.extend(words.iter().map(|&word| word.to_owned()));
        let (ca, time) = (target.ca.as_ref().map(|ca| ca.display().to_string()), format!("{seconds}s"));
        match self {
            Self::Brownout => {
                let rate = format!("{rate}/s");
                add(&["load", &target.url, "--rate", &rate, "--for", &format!("{}s", seconds - 1), "--warm-up", "1s"]);
                add(&["--out", &folder.join("out").display().to_string()]);
                if let Some(ca) = &ca {
                    add(&["--ca", ca, "--http", if target.http2 { "2" } else { "1.1" }]);
                }
            }
            Self::Oha => {
                add(&["--no-tui", "--output-format", "json", "-c", CONNECTIONS, "-z", &time]);
                add(&["-q", &rate.to_string(), "--latency-correction"]);
                if let Some(ca) = &ca {
                    add(&["--cacert", ca]);
                }
                add(if target.http2 { &["--http2", "-p", "1"][..] } else { &[] });
                add(&[&target.url]);
            }
            Self::K6 => {
                let script = folder.join("script.js");
                let scenario = format!(
                    "{{executor: 'constant-arrival-rate', rate: {rate}, timeUnit: '1s', duration: '{time}', preAllocatedVUs: {CONNECTIONS}}}"
                );
                let text = format!(
                    "import http from 'k6/http';\nexport const options = {{scenarios: {{paced: {scenario}}}}};\n\
                     export default function () {{ http.get('{}'); }}\n",
                    target.url
                );
                std::fs::write(&script, text)?;
                add(&["run", "--quiet", "--no-usage-report", "--summary-export", &folder.join("k6.json").display().to_string()]);
                add(&[&script.display().to_string()]);
            }
        }
        Ok(all)
    }

    fn sent(self, output: &[u8], folder: &Path) -> Done<f64> {
        let read = |name: &str| -> Done<Value> { Ok(serde_json::from_slice(&std::fs::read(folder.join(name))?)?) };
        Ok(match self {
            Self::Brownout => number(&read("out/result.json")?, "sent"),
            Self::K6 => read("k6.json")?.pointer("/metrics/http_reqs/count").and_then(Value::as_f64).ok_or("it told no requests")?,
            Self::Oha => {
                let told: Value = serde_json::from_slice(output)?;
                let answers = told.get("statusCodeDistribution").and_then(Value::as_object).ok_or("it told no answers")?;
                answers.values().filter_map(Value::as_f64).sum()
            }
        })
    }
}
