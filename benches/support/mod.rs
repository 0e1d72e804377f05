//! What the benches share: parts of a measurement as separate processes, their resource usage, and
//! printing of figures. It asserts nothing.

#![allow(dead_code, reason = "each bench uses its own part of this")]

use std::error::Error;
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// The result of a bench.
pub type Done<T = ()> = Result<T, Box<dyn Error>>;

/// The variable that tells a re-executed bench which part it plays.
const ROLE: &str = "BROWNOUT_BENCH_ROLE";

/// The command, in the same folder as the other programs.
pub const BROWNOUT: &str = env!("CARGO_BIN_EXE_brownout");

/// Whether to measure: `cargo bench` passes `--bench`, `cargo test --benches` does not.
pub fn is_wanted() -> bool {
    std::env::args().any(|argument| argument == "--bench")
}

/// Whether `name` is on the command line, as in `cargo bench --bench load -- --short`.
pub fn has_flag(name: &str) -> bool {
    std::env::args().any(|argument| argument == name)
}

/// The value after `name` on the command line, such as `--count`; `None` where it is not given.
pub fn after(name: &str) -> Option<String> {
    std::env::args().skip_while(|argument| argument != name).nth(1)
}

/// The number after `name` on the command line; `otherwise` where it is not given.
pub fn number_after<T: std::str::FromStr>(name: &str, otherwise: T) -> Done<T> {
    after(name).map_or(Ok(otherwise), |text| text.parse().map_err(|_| format!("`{name} {text}` is not a number").into()))
}

/// The part that this process plays, if it is one.
pub fn role() -> Option<String> {
    std::env::var(ROLE).ok()
}

/// A part of the measurement in a separate process, killed when dropped.
pub struct Part {
    child: Child,
    lines: Option<BufReader<ChildStdout>>,
    _input: Option<ChildStdin>,
}

impl Part {
    /// Starts this bench again as `role` with these settings. It also ends when this process dies:
    /// see [`end_with_parent`].
    pub fn start(role: &str, settings: &[(&str, String)]) -> Done<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.env(ROLE, role).envs(settings.iter().map(|(name, value)| (*name, value.as_str())));
        Self::spawn(&mut command)
    }

    /// Starts any command whose standard output is read line by line.
    pub fn spawn(command: &mut Command) -> Done<Self> {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let input = child.stdin.take();
        let lines = child.stdout.take().map(BufReader::new);
        Ok(Self { child, lines, _input: input })
    }

    /// The next line that is JSON; other lines are skipped.
    pub fn tell(&mut self) -> Done<Value> {
        let mut line = String::new();
        let lines = self.lines.as_mut().ok_or("nobody listens to it any more")?;
        loop {
            line.clear();
            if lines.read_line(&mut line)? == 0 {
                return Err("a part of the measurement ended without a word".into());
            }
            if let Some(value) = line.starts_with('{').then(|| serde_json::from_str(&line).ok()).flatten() {
                return Ok(value);
            }
        }
    }

    /// Keeps reading and discards its output, because a process blocks when it writes to a full
    /// pipe.
    pub fn ignore(&mut self) {
        if let Some(mut lines) = self.lines.take() {
            std::thread::spawn(move || std::io::copy(&mut lines, &mut std::io::sink()));
        }
    }

    /// The process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// In a part: ends the process when standard input does.
pub fn end_with_parent() {
    std::thread::spawn(|| {
        let mut rest = Vec::new();
        let _ = std::io::stdin().read_to_end(&mut rest);
        std::process::exit(0);
    });
}

/// A setting of a part.
pub fn setting<T: std::str::FromStr>(name: &str) -> Done<T> {
    std::env::var(name)?.parse().map_err(|_| format!("`{name}` is not understood").into())
}

/// Another program of the workspace. It is built first if cargo started this bench, because
/// `cargo bench` builds only the benches' own package.
pub fn program(name: &str) -> Done<PathBuf> {
    if let Some(cargo) = std::env::var_os("CARGO") {
        let arguments = ["build", "--release", "--workspace", "--bins", "--quiet"];
        Command::new(cargo).args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).stdin(Stdio::null()).status()?;
    }
    let path = PathBuf::from(BROWNOUT).with_file_name(name);
    if path.is_file() { Ok(path) } else { Err(format!("`{name}` is not built: `cargo build --release --workspace`").into()) }
}

/// Processor time that this process has used.
pub fn own_processor_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// Processor time that the living threads of a process have used, to the nanosecond.
pub fn processor_time(pid: u32) -> Duration {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let used = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("schedstat")).ok()?.split(' ').next()?.parse::<u64>().ok());
    Duration::from_nanos(used.sum())
}

/// Seconds of processor time that all processes on this machine have used, including time stolen by
/// the hypervisor.
pub fn everybodys_processor_time() -> f64 {
    let stat = std::fs::read_to_string("/proc/stat").unwrap_or_default();
    // user, nice, system, idle, iowait, irq, softirq, steal; in hundredths of a second.
    let fields = stat.lines().next().unwrap_or_default().split_whitespace().skip(1);
    let used = fields.enumerate().filter(|(index, _)| matches!(index, 0..=2 | 5..=7)).filter_map(|(_, field)| field.parse::<f64>().ok());
    used.sum::<f64>() / TICKS_PER_S
}

/// The kernel counts processor time of whole processes in hundredths of a second.
const TICKS_PER_S: f64 = 100.0;

/// Whose processor time of a process: the fields of its `stat` after the name in brackets, of which state, field 3 of
/// proc_pid_stat(5), is the first here. User and system time are 14 and 15, those of children that were waited for 16 and 17.
#[derive(Clone, Copy)]
pub enum Counted {
    Itself = 11,
    Children = 13,
}

/// Seconds of processor time of a process, a number or `self`; also after its end, until it is waited for. 0 if there is none.
pub fn counted_time(process: &str, of: Counted) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let fields = stat.rsplit_once(')').map(|(_, rest)| rest).unwrap_or_default();
    let ticks = fields.split_whitespace().skip(of as usize).take(2).filter_map(|field| field.parse::<f64>().ok());
    ticks.sum::<f64>() / TICKS_PER_S
}

/// Waits, at most 20 s, until other processes leave this machine idle for a moment. That does not
/// show whether it stays idle during the measurement.
pub fn wait_for_quiet() {
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(20) {
        let (before, from) = (everybodys_processor_time(), Instant::now());
        std::thread::sleep(Duration::from_millis(500));
        if (everybodys_processor_time() - before) / from.elapsed().as_secs_f64() < 0.2 {
            return;
        }
    }
}

/// The peak resident memory of this process, in MB.
pub fn peak_memory() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse::<f64>().ok());
    peak.unwrap_or(0.0) / 1e3
}

/// A process's resident memory in MB: now, and at its peak.
pub fn memory(pid: u32) -> (f64, f64) {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)?.trim().strip_suffix(" kB")?.parse::<f64>().ok());
    (field("VmRSS:").unwrap_or(f64::NAN) / 1e3, field("VmHWM:").unwrap_or(f64::NAN) / 1e3)
}

/// How many descriptors a process has open.
pub fn descriptors(pid: u32) -> usize {
    std::fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count)
}

/// Nanoseconds of the clock that all processes of a machine share.
pub fn machine_clock() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// The quantile `q` of values in any order; NaN if there are none.
pub fn quantile(values: &mut [f64], q: f64) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let rank = ((values.len() as f64 * q).ceil() as usize).clamp(1, values.len().max(1));
    values.get(rank - 1).copied().unwrap_or(f64::NAN)
}

/// The median.
pub fn median(values: &mut [f64]) -> f64 {
    quantile(values, 0.5)
}

/// A number from a part's output.
pub fn number(value: &Value, name: &str) -> f64 {
    value.get(name).and_then(Value::as_f64).unwrap_or(f64::NAN)
}

/// Prints rows under a title, with columns as wide as needed.
pub fn table(title: &str, rows: &[Vec<String>]) {
    println!("\n{title}");
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    for row in rows {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        println!("  {}", cells.join("   ").trim_end());
    }
}

/// A row of a table.
macro_rules! row {
    ($($cell:expr),+ $(,)?) => { vec![$($cell.to_string()),+] };
}
pub(crate) use row;
