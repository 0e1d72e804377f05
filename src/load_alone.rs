//! `brownout load`: load alone, to the addresses of a file or to one URL. It starts no stack and
//! injects nothing.

use std::error::Error;
use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, SystemTime};

use engine::check::power;
use engine::run::{Done, RunError, Setting};
use engine::targets::bare::Bare;
use engine::{Asked, Beside, Plan};
use exports::shell;
use faults::time::Time;
use load::{Endpoint, Part};
use run_folder::{FolderError, RunFolder};
use rustix::process::{Signal, set_parent_process_death_signal};
use tokio::runtime::Runtime;

use crate::cli::{Crew, Load, Starter, ToUrl};
use crate::live::{Live, Views};
use crate::run::{new_folder, report_of};
use crate::signals::Signals;
use crate::workers::{self, Role};
use crate::{as_toml, check, report, up};

/// Sends, judges, and writes the report; the exit code is the verdict's. One of several workers sends its part, and does not judge.
///
/// # Errors
/// If nothing could be sent.
pub fn load(arguments: &Load) -> Result<u8, Box<dyn Error>> {
    let role = workers::role(&arguments.workers, |name| std::env::var(name).ok())?;
    let mut plan = match plan(arguments, role.workers()) {
        Ok(plan) => plan,
        Err(complaints) => {
            eprint!("{complaints}");
            return Ok(crate::exit::COULD_NOT_RUN);
        }
    };
    if let Some(seed) = arguments.seed {
        plan.seed = seed;
    }
    workers::in_time(arguments.workers.start_at, SystemTime::now())?;
    plan.load.means.start_at = arguments.workers.start_at;
    match role {
        Role::Alone => alone(arguments, &plan),
        Role::Worker(part) => worker(arguments, plan, part),
        Role::Starts(Crew { starter, count }) => match starter {
            Starter::Local => workers::local::run(arguments, &plan, count),
            Starter::Slurm => workers::slurm::run(arguments, &plan, count),
            Starter::Batch => workers::batch::run(arguments, &plan, count),
            Starter::Kubernetes => workers::kubernetes::run(arguments, &plan, count),
        },
    }
}

fn alone(arguments: &Load, plan: &Plan) -> Result<u8, Box<dyn Error>> {
    let (runtime, signals) = Signals::begin()?;
    let live = Live::wanted(&arguments.watch, up::new_marker())?;
    let folder = arguments.out.as_ref().map_or_else(|| new_folder(&plan.name), |folder| RunFolder::claim(folder, arguments.force))?;
    eprintln!("{}\n", plan.question);
    power::notices(plan).iter().for_each(|notice| eprintln!("note: {notice}"));
    let mut views = Views::new(live);
    let sent = send(arguments, plan, &folder, &runtime, signals, &mut views)?;
    runtime.shutdown_timeout(Duration::from_secs(1));
    let done = match sent {
        Ok(done) => done,
        Err(asked) => return Ok(asked.exit_code()),
    };
    let judged = report_of(&done, &folder)?;
    views.judged(&judged);
    report::show(&judged, folder.path(), arguments.json)?;
    if done.asked.is_some() {
        eprintln!("stopped as asked: what was under way was given up");
    }
    Ok(done.asked.map_or(judged.verdict.exit_code(), |asked| asked.exit_code()))
}

fn worker(arguments: &Load, mut plan: Plan, part: Part) -> Result<u8, Box<dyn Error>> {
    if arguments.workers.end_with_parent {
        set_parent_process_death_signal(Some(Signal::TERM))?;
    }
    let out = arguments.out.as_ref().ok_or("a worker needs `--out`, the folder of all workers")?;
    plan.load.means.part = part;
    let (runtime, signals) = Signals::begin()?;
    let live = Live::wanted(&arguments.watch, up::new_marker())?;
    let (folder, worker) = workers::begin(out, arguments.force, &plan, part)?;
    let sent = send(arguments, &plan, &folder, &runtime, signals, &mut Views::new(live))?;
    runtime.shutdown_timeout(Duration::from_secs(1));
    let ended = sent.map_or_else(|asked| Ok(asked.exit_code()), |done| workers::end(worker, &done, &plan, &folder));
    if arguments.workers.send_folder {
        workers::sent_folder::send(folder.path(), std::io::stdout().lock())?;
    }
    ended
}

/// Sends what the plan says.
fn send(
    arguments: &Load,
    plan: &Plan,
    folder: &RunFolder,
    runtime: &Runtime,
    signals: Signals,
    views: &mut Views,
) -> Result<Result<Done, Asked>, Box<dyn Error>> {
    let setting =
        Setting { folder: folder.path().to_owned(), run: up::new_marker(), command: command_line(arguments), signals: Box::new(signals) };
    match runtime.block_on(engine::run::run(plan, &mut Bare, setting, views)) {
        Ok(done) => Ok(Ok(done)),
        Err(RunError::Asked(asked)) => {
            eprintln!("stopped as asked before the first request");
            Ok(Err(asked))
        }
        Err(RunError::Folder(cause)) => Err(FolderError::Unwritable { path: folder.path().to_owned(), cause }.into()),
        Err(error) => Err(error.into()),
    }
}

/// The checked plan of a file or of a URL.
fn plan(arguments: &Load, workers: u64) -> Result<Plan, String> {
    let target = arguments.target.as_str();
    if target.starts_with("http://") || target.starts_with("https://") {
        return to_url(target, &arguments.to_url, workers);
    }
    if let Some(flag) = given(&arguments.to_url).first() {
        return Err(format!("error: `--{flag}` is for a URL; `{target}` is a file, and says it itself\n"));
    }
    check::read_load(target, workers)
}

/// The flags of a URL that were given.
fn given(to: &ToUrl) -> Vec<&'static str> {
    let flags = [
        ("rate", to.rate.is_some()),
        ("for", to.length.is_some()),
        ("warm-up", to.warm_up.is_some()),
        ("method", to.method.is_some()),
        ("header", !to.headers.is_empty()),
        ("body", to.body.is_some()),
        ("status", !to.statuses.is_empty()),
        ("ca", to.ca.is_some()),
        ("cert", to.cert.is_some()),
        ("key", to.key.is_some()),
        ("http", to.http.is_some()),
        ("arrivals", to.arrivals.is_some()),
        ("p50", to.p50.is_some()),
        ("p90", to.p90.is_some()),
        ("p99", to.p99.is_some()),
        ("errors", to.errors.is_some()),
    ];
    flags.into_iter().filter(|(_, is_given)| *is_given).map(|(flag, _)| flag).collect()
}

fn to_url(url: &str, to: &ToUrl, workers: u64) -> Result<Plan, String> {
    let endpoint: Endpoint = url.parse().map_err(|what| format!("error: {what}\n"))?;
    let text = as_file(url, &endpoint, to)?;
    // Its text is made here, so a position in it would help no reader.
    let beside = Beside { headers: &to.headers, workers };
    engine::check_load_with(Path::new("."), &file_name(&endpoint.host), &text, beside)
        .map_err(|wrong| wrong.iter().map(|wrong| format!("error: {}\n", wrong.what)).collect())
}

/// The file that says the same: the report shows it, and it can be kept and grown. Headers are left
/// out, because they may be secret.
fn as_file(url: &str, endpoint: &Endpoint, to: &ToUrl) -> Result<String, String> {
    let Some(rate) = &to.rate else {
        return Err("error: a URL needs `--rate`, requests a second, such as `--rate 50/s`\n".to_owned());
    };
    let method = to.method.unwrap_or_default().name();
    let path = endpoint.path.split('?').next().unwrap_or_default();
    let of = as_toml::text(&format!("{} {method} {path}", endpoint.host));
    let or = |time: Option<Time>, seconds| time.unwrap_or_else(|| Time::from(Duration::from_secs(seconds)));
    let mut text = format!("[phases]\nwarm-up = \"{}\"\nmeasured = \"{}\"\n", or(to.warm_up, 3), or(to.length, 30));
    if let Some(arrivals) = to.arrivals {
        let _ = write!(text, "\n[load]\narrivals = \"{}\"\n", arrivals.name());
    }
    let tls = [("ca", &to.ca), ("cert", &to.cert), ("key", &to.key), ("http", &to.http)];
    let tls: String = tls.into_iter().filter_map(|(name, file)| Some(format!("{name} = {}\n", as_toml::text(file.as_ref()?)))).collect();
    if !tls.is_empty() {
        let _ = write!(text, "\n[load.tls]\n{tls}");
    }
    let statuses = if to.statuses.is_empty() { (200..=208).chain([226]).collect() } else { to.statuses.clone() };
    let _ = write!(
        text,
        "\n[[load.requests]]\nof = {of}\nurl = {}\nrate = {}\nmethod = \"{method}\"\nstatuses = {statuses:?}\n",
        as_toml::text(url),
        as_toml::text(rate)
    );
    if let Some(body) = &to.body {
        let body = match body.strip_prefix('@') {
            Some(file) => std::fs::read_to_string(file).map_err(|error| format!("error: the body `{file}` cannot be read: {error}\n"))?,
            None => body.clone(),
        };
        let _ = writeln!(text, "body = {}", as_toml::text(&body));
    }
    let aims = [("p50", &to.p50), ("p90", &to.p90), ("p99", &to.p99), ("errors", &to.errors)];
    let aims: Vec<_> =
        aims.into_iter().filter_map(|(name, bound)| Some(format!("{name} = {}\n", as_toml::text(bound.as_ref()?)))).collect();
    if !aims.is_empty() {
        let _ = write!(text, "\n[[expect]]\nof = {of}\n{}", aims.concat());
    }
    Ok(text)
}

/// A host as part of a folder's name.
fn file_name(host: &str) -> String {
    host.chars().map(|c| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' }).collect()
}

/// The command line that repeats it on one machine, without the values of headers.
fn command_line(arguments: &Load) -> String {
    let words = words(arguments, |header| format!("{}: ...", header.split(':').next().unwrap_or_default()));
    format!("brownout load {}", words.iter().map(|word| shell::word(word)).collect::<Vec<_>>().join(" "))
}

/// What is sent, as words of a command line; each header, `name: value`, as `header` shows it.
pub fn words(arguments: &Load, header: impl Fn(&str) -> String) -> Vec<String> {
    let Load { target, to_url: to, seed, .. } = arguments;
    let mut words = vec![target.clone()];
    let mut add = |flag: &str, value: String| words.extend([format!("--{flag}"), value]);
    let text = |time: Option<Time>| time.map(|time| time.to_string());
    let method = to.method.map(|method| method.name().to_owned());
    let before = [("rate", to.rate.clone()), ("for", text(to.length)), ("warm-up", text(to.warm_up)), ("method", method)];
    before.into_iter().for_each(|(flag, value)| value.into_iter().for_each(|value| add(flag, value)));
    to.headers.iter().for_each(|(name, value)| add("header", header(&format!("{name}: {value}"))));
    to.statuses.iter().for_each(|status| add("status", status.to_string()));
    let arrivals = to.arrivals.map(|arrivals| arrivals.name().to_owned());
    let after = [
        ("body", &to.body),
        ("ca", &to.ca),
        ("cert", &to.cert),
        ("key", &to.key),
        ("http", &to.http),
        ("arrivals", &arrivals),
        ("p50", &to.p50),
        ("p90", &to.p90),
        ("p99", &to.p99),
        ("errors", &to.errors),
    ];
    after.into_iter().for_each(|(flag, value)| value.iter().for_each(|value| add(flag, value.clone())));
    seed.iter().for_each(|seed| add("seed", seed.to_string()));
    words
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Command};

    fn read(arguments: &[&str]) -> Load {
        let all = ["brownout", "load"].iter().chain(arguments);
        let Command::Load(load) = Cli::try_parse_from(all).unwrap().command else { panic!("not load") };
        *load
    }

    #[test]
    fn a_url_becomes_a_file_without_secrets() {
        let load = read(&[
            "https://shop.example.com/a?token=x",
            "--rate",
            "90/m",
            "--for",
            "20s",
            "-X",
            "post",
            "-H",
            "authorization: Bearer s3cret",
            "--body",
            "{\"a\":\"\u{7f}\n\"}",
            "--arrivals",
            "poisson",
            "--p99",
            "<= 200ms",
            "--errors",
            "any",
        ]);
        let plan = plan(&load, 1).unwrap();
        let [journey] = plan.load.journeys.as_slice() else { panic!("{plan:?}") };
        assert_eq!((journey.rate, plan.judged(), plan.arrivals), (1.5, Duration::from_secs(20), load::Arrivals::Poisson));
        let step = &journey.steps[0];
        assert_eq!((step.of, step.method), ("shop.example.com POST /a", "POST"));
        assert!(step.expected.statuses.contains(&201) && !step.expected.statuses.contains(&301));
        assert!(format!("{:?}", step.headers).contains("s3cret"));
        assert_eq!(
            format!("{:?}", step.body),
            format!("{:?}", scenarios::journeys::Body::Text(scenarios::journeys::Text::literal("{\"a\":\"\u{7f}\n\"}")))
        );
        assert_eq!((plan.expectations.len(), plan.any_errors.as_slice()), (1, &["shop.example.com POST /a".to_owned()][..]));
        let line = command_line(&load);
        assert!(line.contains("--rate 90/m --for 20s --method POST --header 'authorization: ...'"), "{line}");
        assert!(!line.contains("s3cret") && !plan.text.contains("s3cret"));
    }

    #[test]
    fn what_does_not_fit_the_target_is_refused() {
        for (arguments, says) in [
            (&["http://127.0.0.1:1/"][..], "a URL needs `--rate`"),
            (&["http://user:x@127.0.0.1:1/", "--rate", "5/s"], "is not a URL"),
            (&["shop.toml", "--rate", "5/s"], "`--rate` is for a URL; `shop.toml` is a file"),
            (&["http://127.0.0.1:1/", "--rate", "5/s", "--for", "10ms"], "`measured` is `10ms`; it needs `1s` at least"),
            (&["http://127.0.0.1:1/", "--rate", "90000/s"], "more than one machine can send"),
            (&["http://127.0.0.1:1/", "--rate", "5/s", "-H", "host: x"], "the header `host` cannot be sent"),
            (&["http://127.0.0.1:1/", "--rate", "5/s", "--p99", "<= 40s"], "always holds"),
            (&["http://127.0.0.1:1/", "--rate", "5/s", "--body", "@nowhere"], "the body `nowhere` cannot be read"),
        ] {
            let wrong = plan(&read(arguments), 1).unwrap_err();
            assert!(wrong.contains(says), "{arguments:?}: {wrong}");
        }
    }
}
