//! Prints moments, in UTC, in every form that the workspace needs, and reads one. It reads no clock.

use std::time::{SystemTime, UNIX_EPOCH};

use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use time::{Date, Month, OffsetDateTime, PrimitiveDateTime, Time, UtcOffset};

type Form = &'static [BorrowedFormatItem<'static>];

const SECONDS: Form = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z");
const MILLISECONDS: Form = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
const READABLE: Form = format_description!("[year]-[month]-[day] [hour]:[minute]:[second] UTC");
const FILE_NAME: Form = format_description!("[year][month][day]-[hour][minute][second]");
const DAY_FOLDER: Form = format_description!("[year]/[month]/[day]");
const ACCESS_LOG: Form = format_description!("[day]/[month repr:short]/[year]:[hour]:[minute]:[second] +0000");
const MAIL: Form = format_description!("[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] +0000");

/// RFC 3339 in whole seconds: `2019-11-14T00:13:49Z`.
pub fn seconds(moment: SystemTime) -> String {
    print(moment, SECONDS)
}

/// RFC 3339 in milliseconds: `2019-11-14T00:13:49.717Z`.
pub fn milliseconds(moment: SystemTime) -> String {
    print(moment, MILLISECONDS)
}

/// For people: `2026-01-31 23:59:59 UTC`.
pub fn readable(moment: SystemTime) -> String {
    print(moment, READABLE)
}

/// In the names of files: `20260131-235959`.
pub fn file_name(moment: SystemTime) -> String {
    print(moment, FILE_NAME)
}

/// The day, as in the names of log streams: `2026/01/31`.
pub fn day_folder(moment: SystemTime) -> String {
    print(moment, DAY_FOLDER)
}

/// As access logs and API Gateway's `requestTime` have it: `09/Apr/2015:12:34:56 +0000`.
pub fn access_log(moment: SystemTime) -> String {
    print(moment, ACCESS_LOG)
}

/// As headers of mails have it (RFC 5322, section 3.3): `Thu, 09 Apr 2015 12:34:56 +0000`.
pub fn mail(moment: SystemTime) -> String {
    print(moment, MAIL)
}

/// A moment in RFC 3339 with a capital T, in UTC with a capital Z or with an offset:
/// `2026-01-31T12:00:00.5Z`; `None` if it is not one.
pub fn read(text: &str) -> Option<SystemTime> {
    let (day, clock) = text.split_once('T')?;
    let zone = clock.find(['Z', '+', '-'])?;
    let (clock, zone) = clock.split_at_checked(zone)?;
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    let [year, month, day] = numbers(day, '-', [4, 2, 2])?;
    let [hour, minute, second] = numbers(clock, ':', [2, 2, 2])?;
    let digits = (1..=9).contains(&fraction.len()) && fraction.bytes().all(|byte| byte.is_ascii_digit());
    let nanoseconds: u32 = format!("{fraction:0<9}").parse().ok().filter(|_| digits)?;
    let small = |number: u32| u8::try_from(number).ok();
    let date = Date::from_calendar_date(i32::try_from(year).ok()?, Month::try_from(small(month)?).ok()?, small(day)?).ok()?;
    let time = Time::from_hms_nano(small(hour)?, small(minute)?, small(second)?, nanoseconds).ok()?;
    Some(PrimitiveDateTime::new(date, time).assume_offset(offset(zone)?).into())
}

fn offset(zone: &str) -> Option<UtcOffset> {
    if zone == "Z" {
        return Some(UtcOffset::UTC);
    }
    let sign = if zone.starts_with('-') { -1 } else { 1 };
    let [hours, minutes] = numbers(zone.get(1..)?, ':', [2, 2])?;
    let signed = |number: u32| i8::try_from(number).ok().map(|number| sign * number);
    UtcOffset::from_hms(signed(hours)?, signed(minutes)?, 0).ok()
}

/// Numbers of so many digits with a separator between them.
fn numbers<const N: usize>(text: &str, between: char, digits: [usize; N]) -> Option<[u32; N]> {
    let mut parts = text.split(between);
    let read = digits.map(|digits| {
        let part = parts.next().filter(|part| part.len() == digits && part.bytes().all(|byte| byte.is_ascii_digit()))?;
        part.parse::<u32>().ok()
    });
    let all: Vec<u32> = read.into_iter().collect::<Option<_>>()?;
    if parts.next().is_some() { None } else { all.try_into().ok() }
}

/// A moment before 1970 is printed as 1970, one that has no four digits for its year as the last one that has.
fn print(moment: SystemTime, form: Form) -> String {
    let since = moment.duration_since(UNIX_EPOCH).unwrap_or_default();
    let since = time::Duration::try_from(since).unwrap_or(time::Duration::MAX);
    // Every field is one that a date has, so nothing fails.
    OffsetDateTime::UNIX_EPOCH.saturating_add(since).format(form).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn each_form_is_as_its_readers_expect() {
        let at = UNIX_EPOCH + Duration::from_millis(951_827_696_017);
        assert_eq!(seconds(at), "2000-02-29T12:34:56Z");
        assert_eq!(milliseconds(at), "2000-02-29T12:34:56.017Z");
        assert_eq!(readable(at), "2000-02-29 12:34:56 UTC");
        assert_eq!(file_name(at), "20000229-123456");
        assert_eq!(day_folder(at), "2000/02/29");
        assert_eq!(access_log(at), "29/Feb/2000:12:34:56 +0000");
        assert_eq!(mail(at), "Tue, 29 Feb 2000 12:34:56 +0000");
    }

    #[test]
    fn what_is_printed_can_be_read_and_so_can_offsets() {
        let at = UNIX_EPOCH + Duration::from_millis(951_827_696_017);
        assert_eq!(read(&milliseconds(at)), Some(at));
        assert_eq!(read("2000-02-29T14:04:56.017+01:30"), Some(at));
        assert_eq!(read("2000-02-29T07:34:56.017-05:00"), Some(at));
        for text in [
            "",
            "2000-02-29",
            "2000-02-30T12:00:00Z",
            "2000-02-29t12:00:00Z",
            "2000-02-29T12:00:00z",
            "2000-02-29T12:00:00",
            "2000-2-29T12:00:00Z",
            "2000-02-29T24:00:00Z",
            "2000-02-29T12:00:00.Z",
            "2000-02-29T12:00Z",
            "2000-02-29T12:00:00+1",
            "2000-02-29T12:00:00ZZ",
            "é-02-29T12:00:00Z",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn every_moment_has_a_text() {
        for (at, text) in [
            (UNIX_EPOCH, "1970-01-01T00:00:00.000Z"),
            (UNIX_EPOCH - Duration::from_secs(1), "1970-01-01T00:00:00.000Z"),
            (UNIX_EPOCH + Duration::from_millis(1_767_225_599_999), "2025-12-31T23:59:59.999Z"),
            (UNIX_EPOCH + Duration::from_secs(400_000_000_000), "9999-12-31T23:59:59.999Z"),
        ] {
            assert_eq!(milliseconds(at), text);
        }
    }
}
