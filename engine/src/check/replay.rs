//! A journey that repeats an access log: its times, its routes, and the statuses that were right on
//! that day.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ::load::{Endpoint, Timeline};
use faults::time::Time;
use scenarios::journeys::{Body, Expected, RecordedArrival, Step, Text, Times, ToldOf};
use toml::Spanned;

use super::super::file::{JourneyEntry, Method};
use super::shape::Arriving;
use super::{Check, kept};
use crate::access_log::{Logged, read};

/// Routes beyond the most frequent ones are one endpoint together.
const MOST_ROUTES: usize = 30;

impl Check<'_> {
    /// The arrivals and the requests of a log; `base` comes before each path.
    pub(super) fn replay(
        &mut self,
        spanned: &Spanned<JourneyEntry>,
        log: &Spanned<PathBuf>,
        base: &str,
        timeline: Timeline,
    ) -> Option<(Arriving, Vec<Step>)> {
        let entry = spanned.get_ref();
        let name = entry.name.get_ref();
        let instead = [
            ("rate", entry.rate.is_some()),
            ("stages", !entry.stages.is_empty()),
            ("weight", entry.weight.is_some()),
            ("data", entry.data.is_some()),
            ("setup", !entry.setup.is_empty()),
            ("sign-in", entry.sign_in.is_some()),
            ("request", !entry.request.is_empty()),
            ("teardown", !entry.teardown.is_empty()),
        ];
        for (key, _) in instead.into_iter().filter(|(_, is_there)| *is_there) {
            self.complain(spanned.span(), format!("`replay` takes times and requests from the log; remove `{key}`"));
        }
        let mut logged = self.logged(log, entry)?;
        logged.sort_by(|a, b| a.at.total_cmp(&b.at));
        let times = times(&logged, f64::from(entry.speed.map_or(1, |speed| speed.0)));
        let headers: Vec<_> = entry
            .headers
            .iter()
            .filter_map(|(name, value)| self.header(spanned.span(), name, value).map(|(name, value)| (name, Text::literal(value))))
            .collect();
        let (steps, indices) = steps(&logged, name, base, &headers);
        self.recorded.extend(steps.iter().map(|step| step.of.to_owned()).collect::<BTreeSet<_>>());
        let arrivals: Vec<_> = times.into_iter().zip(indices).map(|(at, step)| RecordedArrival { at, step }).collect();
        self.lasts(log.span(), name, &arrivals, timeline);
        let (from, to) = (timeline.judged_from(), timeline.judged_to());
        let judged = arrivals.iter().filter(|arrival| (from..to).contains(&arrival.at)).count();
        let rate = judged as f64 / to.saturating_sub(from).as_secs_f64().max(f64::MIN_POSITIVE);
        Some((Arriving { rate, times: Times::Recorded(Arc::new(arrivals)) }, steps))
    }

    /// The lines that are sent again.
    fn logged(&mut self, log: &Spanned<PathBuf>, entry: &JourneyEntry) -> Option<Vec<Logged>> {
        let shown = log.get_ref().display();
        let text = match std::fs::read_to_string(self.named(log.get_ref())) {
            Ok(text) => text,
            Err(error) => {
                self.complain(log.span(), format!("`{shown}`: {error}"));
                return None;
            }
        };
        let all = match read(&text) {
            Ok(all) => all,
            Err(wrong) => {
                wrong.into_iter().for_each(|what| self.complain(log.span(), format!("`{shown}`: {what}")));
                return None;
            }
        };
        let read_only = [Method::Get, Method::Head];
        let wanted = if entry.methods.is_empty() { &read_only[..] } else { &entry.methods };
        let is_wanted = |logged: &Logged| wanted.iter().any(|method| method.name() == logged.method);
        let (sent, left): (Vec<_>, Vec<_>) = all.into_iter().partition(is_wanted);
        if let Some(bad) = sent.iter().find(|logged| format!("http://x{}", logged.path).parse::<Endpoint>().is_err()) {
            self.complain(log.span(), format!("`{shown}`: line {}: the path `{}` cannot be sent", bad.line, bad.path));
        }
        let methods: BTreeSet<&str> = left.iter().map(|logged| logged.method.as_str()).collect();
        let methods = methods.into_iter().collect::<Vec<_>>().join(", ");
        if sent.is_empty() {
            self.complain(log.span(), format!("`{shown}` has no line that is sent; it has {methods}, and `methods` says what is"));
            return None;
        }
        if !left.is_empty() {
            let total = sent.len() + left.len();
            self.notices
                .push(format!("`{shown}`: {} of {total} lines are not sent again ({methods}); `methods` says which are", left.len()));
        }
        Some(sent)
    }

    fn lasts(&mut self, span: Range<usize>, name: &str, arrivals: &[RecordedArrival], timeline: Timeline) {
        let last = arrivals.last().map_or(Duration::ZERO, |arrival| arrival.at);
        let second = Duration::from_secs(1);
        let rounded = Time::from(Duration::from_secs(last.as_secs()));
        if last + second < timeline.end() {
            let phases = Time::from(timeline.end());
            self.complain(
                span,
                format!("the log of `{name}` ends after `{rounded}`, and all phases take `{phases}`; shorten the phases, or lower `speed`"),
            );
        } else if last > timeline.end() + second {
            self.notices.push(format!("the log of `{name}` goes on for `{rounded}`; what comes after the phases is not sent"));
        }
    }
}

/// When each line is sent, from the first on. Lines of one whole second are spread over it.
fn times(logged: &[Logged], speed: f64) -> Vec<Duration> {
    let first = logged.first().map_or(0.0, |logged| logged.at);
    let mut all = Vec::with_capacity(logged.len());
    for second in logged.chunk_by(|a, b| a.is_whole && b.is_whole && a.at == b.at) {
        let of = second.len() as f64;
        all.extend(second.iter().zip(0_u32..).map(|(logged, nth)| {
            let within = if logged.is_whole { f64::from(nth) / of } else { 0.0 };
            Duration::from_secs_f64(((logged.at - first + within) / speed).max(0.0))
        }));
    }
    all
}

/// The different requests, and which of them each line is.
fn steps(logged: &[Logged], name: &str, base: &str, headers: &[(&'static str, Text)]) -> (Vec<Step>, Vec<usize>) {
    let mut routes: BTreeMap<(&str, String), (usize, BTreeSet<u16>)> = BTreeMap::new();
    for one in logged {
        let (count, statuses) = routes.entry((&one.method, route(&one.path))).or_default();
        *count += 1;
        statuses.extend((one.status < 500).then_some(one.status));
    }
    let mut by_count: Vec<_> = routes.iter().map(|(route, (count, _))| (std::cmp::Reverse(*count), route)).collect();
    by_count.sort();
    let named: BTreeMap<_, &'static str> =
        by_count.into_iter().take(MOST_ROUTES).map(|(_, route)| (route, kept(&format!("{name} {} {}", route.0, route.1)))).collect();
    let other = kept(&format!("{name} other"));
    let mut known: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    let (mut steps, mut indices) = (Vec::new(), Vec::new());
    for one in logged {
        let index = *known.entry((&one.method, &one.path)).or_insert_with(|| {
            let route = (one.method.as_str(), route(&one.path));
            let seen = routes.get(&route).map(|(_, statuses)| statuses.clone()).unwrap_or_default();
            let statuses: BTreeSet<u16> = (200..400).chain(seen).collect();
            steps.push(Step {
                of: named.get(&route).copied().unwrap_or(other),
                method: Method::ALL.into_iter().find(|method| method.name() == one.method).map_or("GET", Method::name),
                path: Text::literal(format!("{base}{}", one.path)),
                headers: headers.to_vec(),
                body: Body::Empty,
                expected: Expected { statuses: statuses.into_iter().collect(), json: Vec::new() },
                keep: Vec::new(),
                retry: None,
                pause: Duration::ZERO,
                told: ToldOf::default(),
                first_byte: None,
            });
            steps.len() - 1
        });
        indices.push(index);
    }
    (steps, indices)
}

/// A path without its query, in which what looks like an id is `{id}`: a number, or eight and more
/// characters with a digit among them.
fn route(path: &str) -> String {
    let is_id = |segment: &str| {
        let digits = segment.bytes().filter(u8::is_ascii_digit).count();
        digits > 0 && (digits == segment.len() || segment.len() >= 8)
    };
    let segments = path.split('?').next().unwrap_or_default().split('/');
    segments.map(|segment| if is_id(segment) { "{id}" } else { segment }).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::super::check_load_in;
    use super::*;
    use crate::plan::Plan;

    const LOG: &str = r#"10.0.0.1 - - [29/Nov/2026:12:00:00 +0000] "GET /orders/7 HTTP/1.1" 200 17
10.0.0.1 - - [29/Nov/2026:12:00:00 +0000] "GET /orders/9?full=1 HTTP/1.1" 404 17
10.0.0.1 - - [29/Nov/2026:12:00:08 +0000] "POST /orders HTTP/1.1" 201 17
10.0.0.1 - - [29/Nov/2026:12:00:10 +0000] "GET /orders/7 HTTP/1.1" 500 17
10.0.0.1 - - [29/Nov/2026:12:00:20 +0000] "GET /v1/a HTTP/1.1" 200 17
"#;

    const FILE: &str = r#"
[phases]
warm-up = "1s"
measured = "9s"
[[journey]]
name = "day"
url = "http://127.0.0.1:3000/prod"
replay = "access.log"
speed = "2x"
headers = { accept = "*/*" }
[[expect]]
of = "day GET /orders/{id}"
p50 = "<= 1s"
"#;

    fn load(text: &str, log: &str) -> Result<Plan, String> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("access.log"), log).unwrap();
        check_load_in(folder.path(), "x", text).map_err(|wrong| wrong.into_iter().map(|wrong| wrong.what + "\n").collect())
    }

    #[test]
    fn a_log_gives_times_routes_and_right_statuses() {
        let plan = load(FILE, LOG).unwrap();
        let journey = &plan.load.journeys[0];
        let Times::Recorded(arrivals) = &journey.times else { panic!("{journey:?}") };
        let ms: Vec<_> = arrivals.iter().map(|arrival| arrival.at.as_millis()).collect();
        assert_eq!(ms, [0, 250, 5_000, 10_000], "at twice the speed, and the first second spread");
        let step = |arrival: u64| &journey.steps_of(arrival)[0];
        assert_eq!((step(0).of, step(1).of, step(3).of), ("day GET /orders/{id}", "day GET /orders/{id}", "day GET /v1/a"));
        assert!(std::ptr::eq(step(0), step(2)) && step(0).path == Text::literal("/prod/orders/7") && step(0).headers.len() == 1);
        let right = &step(0).expected.statuses;
        assert!(right.contains(&404) && right.contains(&304) && !right.contains(&403) && !right.contains(&500), "{right:?}");
        assert_eq!(plan.notices, ["`access.log`: 1 of 5 lines are not sent again (POST); `methods` says which are"]);
        // Of 4 arrivals one is within the measured 9 s.
        assert!((journey.rate * 9.0 - 1.0).abs() < 1e-9, "{}", journey.rate);
    }

    #[test]
    fn what_does_not_fit_a_log_is_named() {
        let post = FILE.replacen("speed", "methods = [\"POST\"]\nspeed", 1).replace("GET /orders/{id}", "POST /orders");
        assert!(load(&post.replace("\"9s\"", "\"1s\"").replace("\"1s\"\nmeasured", "\"0s\"\nmeasured"), LOG).is_ok());
        for (from, to, says) in [
            ("speed = \"2x\"", "speed = \"4x\"", "the log of `day` ends after `5s`, and all phases take `10s`"),
            ("replay", "rate = \"9/s\"\nreplay", "takes times and requests from the log; remove `rate`"),
            ("access.log", "nowhere.log", "`nowhere.log`: "),
            ("GET /orders/{id}", "GET /order/{id}", "did you mean `day GET /orders/{id}`?"),
            ("speed", "methods = [\"PATCH\"]\nspeed", "has no line that is sent; it has GET, POST"),
            ("replay = \"access.log\"", "rate = \"9/s\"", "`speed` goes with `replay`"),
        ] {
            let text = FILE.replacen(from, to, 1);
            assert_ne!(text, FILE, "{from}");
            let wrong = load(&text, LOG).unwrap_err();
            assert!(wrong.contains(says), "{to}: {wrong}");
        }
        assert!(load(FILE, &LOG.replacen("/orders/9", "/ord\u{1}ers/9", 1)).unwrap_err().contains("line 2: the path"));
        assert!(load(FILE, "nonsense\n").unwrap_err().contains("`access.log`: line 1: it is not understood"));
    }

    #[test]
    fn ids_are_taken_out_of_routes_and_rare_routes_are_one() {
        for (path, expected) in [
            ("/orders/7?a=1", "/orders/{id}"),
            ("/v1/oauth2/token", "/v1/oauth2/token"),
            ("/a/0b7e6c1e-77aa-4f5b-8a0c-1f2e3d4c5b6a/b", "/a/{id}/b"),
            ("/", "/"),
        ] {
            assert_eq!(route(path), expected);
        }
        let logged: Vec<_> = (0..100)
            .map(|n| Logged {
                line: n,
                at: n as f64,
                is_whole: false,
                method: "GET".into(),
                path: format!("/{}", "x".repeat(n + 1)),
                status: 200,
            })
            .collect();
        let (steps, indices) = steps(&logged, "day", "", &[]);
        let names: BTreeSet<_> = steps.iter().map(|step| step.of).collect();
        assert_eq!((steps.len(), indices.len(), names.len()), (100, 100, MOST_ROUTES + 1));
    }
}
