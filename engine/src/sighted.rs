//! Turns the services' sightings into events of the run.

use std::time::{Duration, Instant};

use run_folder::Sighting;
use run_folder::sightings::monotonic_us;
use scenarios::Event;
use scenarios::links::Links;

/// The services' clock, and the sightings that need a follow-up.
pub struct Sighted {
    /// Offset 0 on the services' clock.
    zero_us: u64,
    /// The links that were sent.
    pub links: Links,
}

impl Sighted {
    /// An empty one. `started` is offset 0 and is often in the future: the first arrival is due a
    /// moment after the traffic is ready.
    pub fn new(started: Instant) -> Self {
        let (now, now_us) = (Instant::now(), monotonic_us());
        let us = |span: Duration| u64::try_from(span.as_micros()).unwrap_or_default();
        let zero_us = (now_us + us(started.saturating_duration_since(now))).saturating_sub(us(now.saturating_duration_since(started)));
        Self { zero_us, links: Links::default() }
    }

    /// A sighting as an event. A sighting before offset 0 counts as at offset 0.
    pub fn event(&self, sighting: Sighting) -> Event {
        Event::Saw { at: Duration::from_micros(sighting.at_us.saturating_sub(self.zero_us)), seen: sighting.seen }
    }
}

#[cfg(test)]
mod tests {
    use run_folder::Seen;

    use super::*;

    #[test]
    fn a_sighting_has_the_offset_of_the_traffics_clock_even_if_that_starts_later() {
        let seen = || Seen::Alarm { name: "a".into(), state: "OK".into() };
        let (minute, now) = (Duration::from_secs(60), Instant::now());
        for started in [now - minute, now, now + minute] {
            let sighted = Sighted::new(started);
            // Two minutes from now on the services' clock are two minutes from now on the harness's.
            let Event::Saw { at, .. } = sighted.event(Sighting { at_us: monotonic_us() + 120_000_000, root: None, seen: seen() }) else {
                panic!("no sighting")
            };
            let expected = (Instant::now() + 2 * minute).saturating_duration_since(started);
            assert!(at.abs_diff(expected) < minute / 2, "{at:?}, not {expected:?}");
        }
    }
}
