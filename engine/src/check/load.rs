//! What is sent to each system, and how much faster its long waits go: that every system has its load and every number lies within its bounds.

use std::ops::Range;
use std::time::Duration;

use run_folder::Compressed;
use scenarios::systems::inactive_users::THRESHOLD_DAYS;
use scenarios::systems::{How, weakness};
use scenarios::traffic::{AuditLoad, ClinicLoad, Endpoint, Load, MailLoad, RequestLoad, ThermostatLoad, UsersApiLoad, UsersLoad};
use toml::Spanned;

use super::super::file::{self, File, System};
use super::Check;

/// No single machine sends more than this a second (a hyper connection per user: 64,000 to 82,000 requests a CPU-second).
const HIGHEST_RATE: f64 = 50_000.0;

/// A mail is never smaller than its list of readers and its text.
const SMALLEST_MAIL: u64 = 16 << 10;

/// SES takes no larger mail. Source: Amazon SES, service quotas.
const LARGEST_MAIL: u64 = 40 << 20;

/// The head of a record is a quarter of a KiB.
const SMALLEST_RECORD: u64 = 16 << 10;

/// More does not go into one invocation. Source: AWS Lambda, quotas.
const LARGEST_RECORD: u64 = 6 << 20;

const MOST_MEMBERS: u32 = 20_000;
const MOST_IN_COHORTS: u64 = 5_000;
const MOST_RACERS: u32 = 1_000;
const MOST_BURST: u32 = 10_000;
/// As many environments as a function has here are 64.
const MOST_AT_ONCE: u32 = 50;

/// Below, the smallest number of users is always enough; above, no request would still be waited for.
const SHORTEST_JOURNEY: Duration = Duration::from_millis(100);
const LONGEST_JOURNEY: Duration = Duration::from_secs(600);

/// A queue goes at most so many times faster: a second of it would be shorter than what a poll takes.
const FASTEST_QUEUES: u32 = 10_000;

impl Check<'_> {
    pub(super) fn load(&mut self, file: &File, systems: &[System]) -> Load {
        let (thermostat, clinic, mail, users) = (&file.load.thermostat, &file.load.clinic, &file.load.mail, &file.load.inactive_users);
        self.has_load(System::Thermostat, systems, thermostat.as_ref().map(Spanned::span));
        self.has_load(System::Clinic, systems, clinic.as_ref().map(Spanned::span));
        self.has_load(System::Mail, systems, mail.as_ref().map(Spanned::span));
        self.has_load(System::InactiveUsers, systems, users.as_ref().map(Spanned::span));
        self.has_load(System::UsersApi, systems, file.load.users_api.as_ref().map(Spanned::span));
        self.has_load(System::Audit, systems, file.load.audit.as_ref().map(Spanned::span));
        let dies = file.stack.weaknesses.iter().any(|w| weakness(w.get_ref()).is_some_and(|(_, how)| how == How::Device));
        let life = self.compressed(file).life(Duration::from_secs(u64::from(THRESHOLD_DAYS) * 86_400));
        Load {
            thermostat: thermostat.as_ref().map(|load| self.thermostat(load, dies)),
            clinic: clinic.as_ref().map(|load| {
                self.rate(load.span(), load.get_ref().rate.0);
                ClinicLoad { rate: load.get_ref().rate.0 }
            }),
            mail: mail.as_ref().map(|load| self.mail(load)),
            inactive_users: users.as_ref().map(|load| self.users(load, life)),
            users_api: file.load.users_api.as_ref().map(|load| self.users_api(load)),
            audit: file.load.audit.as_ref().map(|load| self.audit(load)),
            requests: file.load.requests.iter().filter_map(|load| self.request(load)).collect(),
        }
    }

    pub(super) fn longest_journey(&mut self, file: &File) -> Option<Duration> {
        let given = file.load.longest_journey.as_ref()?;
        let time = given.get_ref().duration();
        if !(SHORTEST_JOURNEY..=LONGEST_JOURNEY).contains(&time) {
            self.complain(given.span(), format!("`{}` is outside `100ms` to `10m`", given.get_ref()));
        }
        Some(time)
    }

    fn has_load(&mut self, system: System, systems: &[System], span: Option<Range<usize>>) {
        let name = system.name();
        match span {
            Some(span) if !systems.contains(&system) && self.has_systems(systems) => self.not_among(span, "load is sent to", system),
            None if systems.contains(&system) => {
                self.missing(0..0, &format!("`{name}` gets no load; write `{name} = {{ rate = \"20/s\" }}` under `[load]`"));
            }
            _ => {}
        }
    }

    fn thermostat(&mut self, load: &Spanned<file::ThermostatLoad>, devices_die_on_reject: bool) -> ThermostatLoad {
        let (span, load) = (load.span(), load.get_ref());
        self.rate(span.clone(), load.rate.0);
        self.within(span, "homes", load.homes.into(), 1..=1000);
        ThermostatLoad { rate: load.rate.0, homes: load.homes, devices_die_on_reject }
    }

    fn mail(&mut self, load: &Spanned<file::MailLoad>) -> MailLoad {
        let (span, load) = (load.span(), load.get_ref());
        self.rate(span.clone(), load.rate.0);
        self.within(span.clone(), "burst", load.burst.into(), 0..=MOST_BURST.into());
        if !(SMALLEST_MAIL..=LARGEST_MAIL).contains(&load.largest.0) {
            self.complain(span.clone(), "`largest` is outside `16KiB` to `40MiB`");
        }
        let (malformed, without_list) = (load.malformed.value(), load.without_list.value());
        if malformed + without_list > 1.0 {
            self.complain(span, "`malformed` and `without-list` are shares of all mails and make more than 1 together");
        }
        MailLoad { rate: load.rate.0, burst: load.burst, largest: load.largest.0, malformed, without_list }
    }

    fn users(&mut self, load: &Spanned<file::UsersLoad>, life: Duration) -> UsersLoad {
        let (span, load) = (load.span(), load.get_ref());
        self.rate(span.clone(), load.rate.0);
        self.within(span.clone(), "members", load.members.into(), 1..=MOST_MEMBERS.into());
        self.within(span.clone(), "racers", load.racers.into(), 0..=MOST_RACERS.into());
        let in_cohorts = load.cohorts.iter().map(|size| u64::from(*size)).sum();
        self.within(span, "cohorts", in_cohorts, 0..=MOST_IN_COHORTS);
        UsersLoad { rate: load.rate.0, members: load.members, cohorts: load.cohorts.clone(), racers: load.racers, life }
    }

    fn users_api(&mut self, load: &Spanned<file::UsersApiLoad>) -> UsersApiLoad {
        let (span, load) = (load.span(), load.get_ref());
        self.rate(span.clone(), load.rate.0);
        self.within(span, "burst", load.burst.into(), 0..=MOST_AT_ONCE.into());
        UsersApiLoad { rate: load.rate.0, burst: load.burst }
    }

    fn audit(&mut self, load: &Spanned<file::AuditLoad>) -> AuditLoad {
        let (span, load) = (load.span(), load.get_ref());
        self.rate(span.clone(), load.rate.0);
        if !(SMALLEST_RECORD..=LARGEST_RECORD).contains(&load.largest.0) {
            self.complain(span.clone(), "`largest` is outside `16KiB` to `6MiB`");
        }
        let [repeats, bad_dates, not_base64, bad_keys] =
            [load.repeats, load.bad_dates, load.not_base64, load.bad_keys].map(|share| share.value());
        if repeats + bad_dates + not_base64 + bad_keys > 1.0 {
            self.complain(
                span,
                "`repeats`, `bad-dates`, `not-base64` and `bad-keys` are shares of all records and make more than 1 together",
            );
        }
        AuditLoad { rate: load.rate.0, largest: load.largest.0, repeats, bad_dates, not_base64, bad_keys }
    }

    fn request(&mut self, spanned: &Spanned<file::RequestLoad>) -> Option<RequestLoad> {
        let load = spanned.get_ref();
        self.rate(spanned.span(), load.rate.0);
        let of = load.of.get_ref();
        if !of.split_once(' ').is_some_and(|(word, rest)| !word.is_empty() && !rest.trim().is_empty()) {
            self.complain(
                load.of.span(),
                format!("`{of}` is not a name; write a word and the request, such as `orders GET /orders/{{id}}`"),
            );
        }
        if load.statuses.is_empty() || load.statuses.iter().any(|status| !(100..500).contains(status)) {
            self.complain(spanned.span(), "`statuses` names those that are right, `100` to `499`");
        }
        let headers = load.headers.iter().filter_map(|(name, value)| self.header(spanned.span(), name, value)).collect();
        let endpoint = match load.url.get_ref().parse::<Endpoint>() {
            Ok(endpoint) => endpoint,
            Err(what) => {
                self.complain(load.url.span(), what);
                return None;
            }
        };
        Some(RequestLoad {
            of: kept(of),
            endpoint,
            method: load.method.name(),
            headers,
            body: load.body.clone(),
            rate: load.rate.0,
            statuses: load.statuses.clone(),
        })
    }

    fn header(&mut self, span: Range<usize>, name: &str, value: &str) -> Option<(&'static str, String)> {
        let value = match value.strip_prefix('$') {
            None => value.to_owned(),
            Some(variable) => match std::env::var(variable) {
                Ok(value) => value,
                Err(_) => {
                    self.complain(span, format!("the header `{name}` takes its value from `{variable}`; set this environment variable"));
                    return None;
                }
            },
        };
        let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
        let ours = ["host", "x-amzn-trace-id", "content-length"].iter().any(|ours| name.eq_ignore_ascii_case(ours));
        if name.is_empty() || !name.bytes().all(token) || ours || !value.bytes().all(|b| b == b'\t' || (b' '..0x7f).contains(&b)) {
            self.complain(span, format!("the header `{name}` cannot be sent: brownout sets it, or its name or value is invalid in HTTP"));
            return None;
        }
        Some((kept(name), value))
    }

    fn rate(&mut self, span: Range<usize>, rate: f64) {
        if rate > HIGHEST_RATE {
            self.complain(span, format!("`{rate}/s` is more than one machine can send; `{HIGHEST_RATE}/s` is the most"));
        }
    }

    fn within(&mut self, span: Range<usize>, what: &str, number: u64, bounds: std::ops::RangeInclusive<u64>) {
        if !bounds.contains(&number) {
            self.complain(span, format!("`{what} = {number}` is outside {} to {}", bounds.start(), bounds.end()));
        }
    }

    /// How much faster long waits go.
    pub(super) fn compressed(&mut self, file: &File) -> Compressed {
        let Some(time) = &file.stack.compressed_time else { return Compressed::default() };
        let compressed = Compressed { queues: time.get_ref().queues.0, expiry: time.get_ref().expiry.0 };
        if compressed.queues > FASTEST_QUEUES {
            self.complain(time.span(), format!("queues cannot go `{}x` faster; `{FASTEST_QUEUES}x` is the most", compressed.queues));
        }
        compressed
    }
}

/// Names of endpoints and headers live as long as the process: reports, goose and the books hold them by reference, and a file names a handful.
fn kept(name: &str) -> &'static str {
    Box::leak(name.to_owned().into_boxed_str())
}

#[cfg(test)]
mod tests {
    use super::super::check;

    const RECORDS: &str = include_str!("../../../scenarios/experiments/kill-the-archiver.toml");

    #[test]
    fn the_longest_journey_lies_within_its_bounds() {
        let with = |time: &str| check("x", &RECORDS.replacen("[load]", &format!("[load]\nlongest-journey = \"{time}\""), 1));
        assert_eq!(with("10s").unwrap().longest_journey, Some(std::time::Duration::from_secs(10)));
        for time in ["50ms", "11m"] {
            let wrong = with(time).unwrap_err();
            assert!(wrong.iter().any(|wrong| wrong.what.contains("outside `100ms` to `10m`")), "{time}: {wrong:?}");
        }
    }

    #[test]
    fn a_load_of_records_lies_within_its_bounds() {
        let with = |load: &str| {
            let text = RECORDS.replacen(r#"rate = "6/s", largest = "512KiB""#, load, 1);
            assert_ne!(text, RECORDS);
            check("x", &text)
        };
        let load = with(r#"rate = "6/s""#).unwrap().load.audit.unwrap();
        assert_eq!((load.largest, load.repeats, load.bad_dates, load.not_base64, load.bad_keys), (6 << 20, 0.05, 0.03, 0.02, 0.01));
        assert!(with(r#"rate = "6/s", repeats = 0.5, bad-dates = 0.5, not-base64 = 0.0, bad-keys = 0.0"#).is_ok());
        for (load, says) in [
            (r#"rate = "6/s", largest = "7MiB""#, "outside `16KiB` to `6MiB`"),
            (r#"rate = "6/s", largest = "8KiB""#, "outside `16KiB` to `6MiB`"),
            (r#"rate = "60000/s""#, "more than one machine can send"),
            (r#"rate = "6/s", repeats = 0.5, bad-dates = 0.6"#, "more than 1 together"),
        ] {
            let wrong = with(load).unwrap_err();
            assert!(wrong.iter().any(|wrong| wrong.what.contains(says)), "{load}: {wrong:?}");
        }
    }
}
