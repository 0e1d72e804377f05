//! Cron expressions of six fields, in UTC. Pure. No crate on crates.io reads AWS's six fields with
//! `L`, `W`, `#` and `?`, so they are read here. Source: EventBridge user guide, "Cron expressions
//! reference".

use std::collections::BTreeSet;

use super::calendar::{Date, date, days, length_of_month, weekday};

const MONTHS: [&str; 12] = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const WEEKDAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];
const YEARS: (u32, u32) = (1970, 2199);

/// A cron expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cron {
    minutes: BTreeSet<u32>,
    hours: BTreeSet<u32>,
    months: BTreeSet<u32>,
    years: BTreeSet<u32>,
    on: On,
}

/// On which days of a month.
#[derive(Debug, Clone, PartialEq, Eq)]
enum On {
    /// `1,15`.
    Days(BTreeSet<u32>),
    /// `L` in the field of days.
    LastDay,
    /// `3W`: the working day nearest to the third, in the same month.
    Working(u32),
    /// `MON-FRI`.
    Weekdays(BTreeSet<u32>),
    /// `6L`: the last Friday.
    Last(u32),
    /// `3#2`: the second Tuesday.
    Nth(u32, u32),
}

impl Cron {
    /// Reads the six fields.
    ///
    /// # Errors
    /// Which field is not understood.
    pub fn read(text: &str) -> Result<Self, String> {
        let fields: Vec<&str> = text.split_whitespace().collect();
        let [minutes, hours, of_month, months, of_week, years] = fields.as_slice() else {
            return Err(format!("`cron({text})`: found {} fields, expected six", fields.len()));
        };
        let on = match (*of_month, *of_week) {
            ("?", "?") => Err("one of the fields of days must not be `?`".to_owned()),
            (of_month, "?") => of_month_days(of_month),
            ("?", of_week) => of_week_days(of_week),
            _ => Err("one of the fields of days must be `?`".to_owned()),
        };
        let read = || {
            Ok(Self {
                minutes: values(minutes, (0, 59), &[])?,
                hours: values(hours, (0, 23), &[])?,
                months: values(months, (1, 12), &MONTHS)?,
                years: values(years, YEARS, &[])?,
                on: on?,
            })
        };
        read().map_err(|why: String| format!("`cron({text})`: {why}"))
    }

    /// The first time after `seconds`, in seconds since 1970; `None` if there is no more.
    pub fn next(&self, seconds: u64) -> Option<u64> {
        let minute_after = seconds / 60 + 1;
        let (mut day, mut from) = (i64::try_from(minute_after / 1440).ok()?, u32::try_from(minute_after % 1440).ok()?);
        let last = days(Date { year: i64::from(YEARS.1), month: 12, day: 31 });
        while day <= last {
            if self.has(day) {
                let times = self.hours.iter().flat_map(|hour| self.minutes.iter().map(move |minute| hour * 60 + minute));
                if let Some(minute) = times.into_iter().find(|minute| *minute >= from) {
                    return Some((u64::try_from(day).ok()? * 1440 + u64::from(minute)) * 60);
                }
            }
            (day, from) = (day + 1, 0);
        }
        None
    }

    fn has(&self, day: i64) -> bool {
        let today = date(day);
        let length = length_of_month(today);
        let is_month = self.months.contains(&today.month) && u32::try_from(today.year).is_ok_and(|year| self.years.contains(&year));
        is_month
            && match &self.on {
                On::Days(all) => all.contains(&today.day),
                On::LastDay => today.day == length,
                On::Working(wanted) => working(today, (*wanted).min(length), length) == today.day && *wanted <= length,
                On::Weekdays(all) => all.contains(&weekday(day)),
                On::Last(of_week) => weekday(day) == *of_week && today.day + 7 > length,
                On::Nth(of_week, nth) => weekday(day) == *of_week && today.day.div_ceil(7) == *nth,
            }
    }
}

/// The working day nearest to `wanted`, in the month of `today`.
fn working(today: Date, wanted: u32, length: u32) -> u32 {
    match weekday(days(Date { day: wanted, ..today })) {
        7 if wanted == 1 => 3,
        7 => wanted - 1,
        1 if wanted == length => wanted - 2,
        1 => wanted + 1,
        _ => wanted,
    }
}

fn of_month_days(field: &str) -> Result<On, String> {
    if field == "L" {
        return Ok(On::LastDay);
    }
    match field.strip_suffix('W') {
        Some(day) => number(day, (1, 31), &[]).map(On::Working),
        None => values(field, (1, 31), &[]).map(On::Days),
    }
}

fn of_week_days(field: &str) -> Result<On, String> {
    if field == "L" {
        // The last day of the week.
        return Ok(On::Weekdays(BTreeSet::from([7])));
    }
    if let Some((day, nth)) = field.split_once('#') {
        return Ok(On::Nth(number(day, (1, 7), &WEEKDAYS)?, number(nth, (1, 5), &[])?));
    }
    match field.strip_suffix('L').filter(|day| !day.is_empty()) {
        Some(day) => number(day, (1, 7), &WEEKDAYS).map(On::Last),
        None => values(field, (1, 7), &WEEKDAYS).map(On::Weekdays),
    }
}

fn number(text: &str, (least, most): (u32, u32), names: &[&str]) -> Result<u32, String> {
    let named = names.iter().position(|name| name.eq_ignore_ascii_case(text)).and_then(|at| u32::try_from(at + 1).ok());
    let found = named.or_else(|| text.parse().ok()).filter(|number| (least..=most).contains(number));
    found.ok_or_else(|| format!("found `{text}`, expected {least} to {most}"))
}

/// A list of values, ranges and steps.
fn values(field: &str, bounds: (u32, u32), names: &[&str]) -> Result<BTreeSet<u32>, String> {
    let mut all = BTreeSet::new();
    for part in field.split(',') {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, Some(number(step, (1, bounds.1), &[])?)),
            None => (part, None),
        };
        let (from, to) = match (range, range.split_once('-')) {
            ("*", _) => bounds,
            (_, Some((from, to))) => (number(from, bounds, names)?, number(to, bounds, names)?),
            (one, None) => {
                let one = number(one, bounds, names)?;
                (one, if step.is_some() { bounds.1 } else { one })
            }
        };
        let step = usize::try_from(step.unwrap_or(1)).unwrap_or(1);
        // `20-2` goes on after the highest value. Source: as above, the example `0/30 20-2`.
        let after = (from > to).then_some(bounds.0..=to);
        let until = if after.is_some() { bounds.1 } else { to };
        all.extend((from..=until).chain(after.into_iter().flatten()).step_by(step));
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::super::calendar::seconds_of;
    use super::*;

    fn next(cron: &str, after: &str) -> String {
        let next = Cron::read(cron).unwrap().next(seconds_of(after).unwrap());
        next.map_or_else(|| "never".to_owned(), |seconds| dates::seconds(UNIX_EPOCH + Duration::from_secs(seconds)))
    }

    /// The expressions of the user guide, and each wildcard.
    #[test]
    fn the_next_time_is_that_of_the_user_guide() {
        for (cron, after, expected) in [
            ("0 10 * * ? *", "2026-11-29T10:00:00", "2026-11-30T10:00:00Z"),
            ("0 10 * * ? *", "2026-11-29T09:59:59", "2026-11-29T10:00:00Z"),
            ("15 12 * * ? *", "2026-12-31T12:15:00", "2027-01-01T12:15:00Z"),
            ("0 18 ? * MON-FRI *", "2026-11-27T18:00:00", "2026-11-30T18:00:00Z"),
            ("0 8 1 * ? *", "2026-11-29T00:00:00", "2026-12-01T08:00:00Z"),
            ("0/15 * * * ? *", "2026-11-29T00:14:00", "2026-11-29T00:15:00Z"),
            ("0/10 * ? * MON-FRI *", "2026-11-29T23:59:00", "2026-11-30T00:00:00Z"),
            ("0/5 8-17 ? * MON-FRI *", "2026-11-30T17:55:00", "2026-12-01T08:00:00Z"),
            ("0/30 20-2 ? * MON-FRI *", "2026-11-30T02:30:00", "2026-11-30T20:00:00Z"),
            ("0/30 20-2 ? * MON-FRI *", "2026-11-30T23:30:00", "2026-12-01T00:00:00Z"),
            ("0 0 L * ? *", "2026-02-01T00:00:00", "2026-02-28T00:00:00Z"),
            ("0 0 L 2 ? *", "2027-03-01T00:00:00", "2028-02-29T00:00:00Z"),
            ("0 0 1W * ? *", "2026-07-31T00:00:00", "2026-08-03T00:00:00Z"),
            ("0 0 31W * ? *", "2026-05-01T00:00:00", "2026-05-29T00:00:00Z"),
            ("0 0 15W * ? *", "2026-11-01T00:00:00", "2026-11-16T00:00:00Z"),
            ("0 0 ? * 6L *", "2026-11-01T00:00:00", "2026-11-27T00:00:00Z"),
            ("0 0 ? * L *", "2026-11-29T00:00:00", "2026-12-05T00:00:00Z"),
            ("0 0 ? * 3#2 *", "2026-11-29T00:00:00", "2026-12-08T00:00:00Z"),
            ("0 0 ? * TUE#5 *", "2026-10-01T00:00:00", "2026-12-29T00:00:00Z"),
            ("1/10 0 1 JAN,mar ? 2027", "2026-11-29T00:00:00", "2027-01-01T00:01:00Z"),
            ("0 0 1 1 ? 2025", "2026-11-29T00:00:00", "never"),
            ("0 0 30 2 ? *", "2026-11-29T00:00:00", "never"),
        ] {
            assert_eq!(next(cron, after), expected, "{cron} after {after}");
        }
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for cron in [
            "0 10 * * *",
            "0 10 * * * *",
            "0 10 ? * ? *",
            "0 10 1 * MON *",
            "60 10 * * ? *",
            "0 24 * * ? *",
            "0 10 0 * ? *",
            "0 10 * 13 ? *",
            "0 10 ? * 8 *",
            "0 10 ? * 3#6 *",
            "0 10 ? * 3#1,6#3 *",
            "0 10 * * ? 2200",
            "0/0 10 * * ? *",
            "a 10 * * ? *",
            "",
        ] {
            assert!(Cron::read(cron).is_err(), "{cron}");
        }
    }
}
