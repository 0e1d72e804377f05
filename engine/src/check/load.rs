//! The load of each system, and how much faster its long waits go. Checks that every system has its
//! load and every number is within its bounds.

use std::ops::Range;
use std::time::Duration;

use ::load::Timeline;
use run_folder::Compressed;
use scenarios::systems::System;
use scenarios::traffic::Load;

use super::super::file::File;
use super::super::own_stack::OwnStack;
use super::Check;

/// No single machine sends more than this a second (a hyper connection per user: 64,000 to 82,000 requests a CPU-second).
pub(super) const HIGHEST_RATE: f64 = 50_000.0;

/// Below this, the smallest number of users is always enough. Above `LONGEST_JOURNEY`, every
/// request would have timed out.
const SHORTEST_JOURNEY: Duration = Duration::from_millis(100);
const LONGEST_JOURNEY: Duration = Duration::from_secs(600);

/// The largest factor for queues: beyond it, a second would be shorter than a poll takes.
const FASTEST_QUEUES: u32 = 10_000;

impl Check<'_> {
    pub(super) fn load(&mut self, file: &File, systems: &[System], own: Option<&OwnStack>, timeline: Timeline) -> Load {
        let loads = file.load.systems();
        for system in System::ALL {
            let place = loads.iter().find(|(_, load)| load.system().name() == system.name()).map(|(place, _)| place.clone());
            self.has_load(system, systems, place);
        }
        for (place, load) in &loads {
            self.rate(place.clone(), load.rate());
            load.check().into_iter().for_each(|what| self.complain(place.clone(), what));
        }
        let systems = loads.into_iter().map(|(_, load)| load).collect();
        Load { systems, journeys: self.journeys(file, own, timeline), ..Load::default() }
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

    pub(super) fn header(&mut self, span: Range<usize>, name: &str, value: &str) -> Option<(&'static str, String)> {
        let value = match value.strip_prefix('$') {
            None => value.to_owned(),
            Some(variable) => match self.variable(variable) {
                Some(value) => value,
                None => {
                    self.complain(span, format!("the header `{name}` takes its value from `{variable}`; set this environment variable"));
                    return None;
                }
            },
        };
        self.literal_header(span, name, &value)
    }

    /// The same, with the value as it is.
    pub(super) fn literal_header(&mut self, span: Range<usize>, name: &str, value: &str) -> Option<(&'static str, String)> {
        let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
        let ours = ["host", "x-amzn-trace-id", "content-length"].iter().any(|ours| name.eq_ignore_ascii_case(ours));
        if name.is_empty() || !name.bytes().all(token) || ours || !value.bytes().all(|b| b == b'\t' || (b' '..0x7f).contains(&b)) {
            self.complain(span, format!("the header `{name}` cannot be sent: brownout sets it, or its name or value is invalid in HTTP"));
            return None;
        }
        Some((super::kept(name), value.to_owned()))
    }

    pub(super) fn rate(&mut self, span: Range<usize>, rate: f64) {
        let workers = self.beside.workers;
        let most = HIGHEST_RATE * workers as f64;
        if rate > most {
            let who = if workers > 1 { format!("{workers} workers") } else { "one machine".to_owned() };
            self.complain(span, format!("`{rate}/s` is more than {who} can send; `{most}/s` is the most"));
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

#[cfg(test)]
mod tests {
    use super::super::check;

    const RECORDS: &str = include_str!("../../../scenarios/src/systems/audit/experiments/kill-the-archiver.toml");

    #[test]
    fn the_longest_journey_is_within_its_bounds() {
        let with = |time: &str| check("x", &RECORDS.replacen("[load]", &format!("[load]\nlongest-journey = \"{time}\""), 1));
        assert_eq!(with("10s").unwrap().longest_journey, Some(std::time::Duration::from_secs(10)));
        for time in ["50ms", "11m"] {
            let wrong = with(time).unwrap_err();
            assert!(wrong.iter().any(|wrong| wrong.what.contains("outside `100ms` to `10m`")), "{time}: {wrong:?}");
        }
    }

    #[test]
    fn a_load_of_records_is_within_its_bounds() {
        let with = |load: &str| {
            let text = RECORDS.replacen(r#"rate = "6/s", largest = "512KiB""#, load, 1);
            assert_ne!(text, RECORDS);
            check("x", &text)
        };
        let load = with(r#"rate = "6/s""#).unwrap().load;
        let defaults = r#"rate = "6/s", largest = "6MiB", repeats = 0.05, bad-dates = 0.03, not-base64 = 0.02, bad-keys = 0.01"#;
        assert_eq!(format!("{load:?}"), format!("{:?}", with(defaults).unwrap().load));
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
