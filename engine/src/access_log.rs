//! Reads access logs: when each request of a real day came, for what, and how it was answered. It
//! knows the common and the combined log format, which API Gateway can write too, JSON lines of API
//! Gateway, and the log of an Application Load Balancer.

use serde_json::Value;

/// One request of the log.
#[derive(Debug, Clone, PartialEq)]
pub struct Logged {
    /// Its line, from 1.
    pub line: usize,
    /// Seconds since 1970.
    pub at: f64,
    /// Whether that is a whole second, because the format has no parts of one.
    pub is_whole: bool,
    /// Such as `GET`.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// How it was answered.
    pub status: u16,
}

#[derive(Clone, Copy)]
enum Form {
    Common,
    Json,
    LoadBalancer,
}

impl Form {
    fn of(line: &str) -> Self {
        let mut words = line.split(' ');
        let is_scheme = matches!(words.next(), Some("http" | "https" | "h2" | "grpcs" | "ws" | "wss"));
        if line.starts_with('{') {
            Self::Json
        } else if is_scheme && words.next().is_some_and(|word| iso_time(word).is_some()) {
            Self::LoadBalancer
        } else {
            Self::Common
        }
    }
}

/// The requests of a log; the form of its first line is that of all.
///
/// # Errors
/// The first lines that are not understood, one complaint each.
pub fn read(text: &str) -> Result<Vec<Logged>, Vec<String>> {
    const MOST: usize = 5;
    let lines =
        || text.lines().enumerate().map(|(at, line)| (at + 1, line.trim())).filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    let Some((_, first)) = lines().next() else { return Err(vec!["it has no line".to_owned()]) };
    let form = Form::of(first);
    let (mut all, mut wrong) = (Vec::new(), Vec::new());
    for (number, line) in lines() {
        let read = match form {
            Form::Common => common(number, line),
            Form::Json => json(number, line),
            Form::LoadBalancer => load_balancer(number, line),
        };
        match read {
            Ok(logged) => all.push(logged),
            Err(what) => wrong.push(format!("line {number}: {what}")),
        }
        if wrong.len() >= MOST {
            break;
        }
    }
    if wrong.is_empty() { Ok(all) } else { Err(wrong) }
}

const NOT_COMMON: &str = "it is not understood; a line is for example `10.0.0.1 - - [29/Nov/2026:12:00:00 +0000] \"GET /orders HTTP/1.1\" 200 17`, \
    JSON with `requestTime`, `httpMethod`, `path` and `status`, or one of a load balancer";

/// `10.0.0.1 - - [29/Nov/2026:12:00:00 +0000] "GET /orders HTTP/1.1" 200 17 ...`
fn common(line: usize, text: &str) -> Result<Logged, String> {
    let wrong = || NOT_COMMON.to_owned();
    let (_, rest) = text.split_once('[').ok_or_else(wrong)?;
    let (time, rest) = rest.split_once(']').ok_or_else(wrong)?;
    let at = common_time(time).ok_or_else(|| format!("`{time}` is not a time such as `29/Nov/2026:12:00:00 +0000`"))?;
    let words = words(rest);
    let [request, status, ..] = words.as_slice() else { return Err(wrong()) };
    let (method, path) = requested(request)?;
    Ok(Logged { line, at, is_whole: true, method, path, status: status_of(status)? })
}

/// `{"requestTime": "29/Nov/2026:12:00:00 +0000", "httpMethod": "GET", "path": "/orders", "status": "200"}`
fn json(line: usize, text: &str) -> Result<Logged, String> {
    let value: Value = serde_json::from_str(text).map_err(|error| format!("it is not JSON: {error}"))?;
    let field = |names: &[&str]| {
        let found = names.iter().find_map(|name| value.get(*name))?;
        Some(found.as_str().map_or_else(|| found.to_string(), ToOwned::to_owned))
    };
    let needed = |names: &[&str]| field(names).ok_or_else(|| format!("`{}` is missing", names.join("`, `")));
    let (at, is_whole) = match field(&["requestTimeEpoch"]) {
        Some(epoch) => (epoch.parse::<f64>().map_err(|_| format!("`{epoch}` is not a time in milliseconds"))? / 1e3, false),
        None => {
            let time = needed(&["requestTime", "time"])?;
            let read = common_time(&time).map(|at| (at, true)).or_else(|| Some((iso_time(&time)?, false)));
            read.ok_or_else(|| format!("`{time}` is not a time such as `29/Nov/2026:12:00:00 +0000`"))?
        }
    };
    let status = status_of(&needed(&["status"])?)?;
    let (method, path) = match (field(&["httpMethod", "method"]), field(&["path", "resourcePath"]), field(&["routeKey"])) {
        (Some(method), Some(path), _) => requested(&format!("{method} {path}"))?,
        (.., Some(route)) => requested(&route)?,
        _ => return Err("`httpMethod` and `path`, or `routeKey`, are missing".to_owned()),
    };
    Ok(Logged { line, at, is_whole, method, path, status })
}

/// The log of an Application Load Balancer: when the request came is its 22nd field, when it was
/// answered the second.
fn load_balancer(line: usize, text: &str) -> Result<Logged, String> {
    let words = words(text);
    let word = |at: usize| words.get(at).map(String::as_str).ok_or_else(|| format!("it has {} fields", words.len()));
    let at = words.get(21).and_then(|time| iso_time(time)).or_else(|| iso_time(word(1).ok()?));
    let at = at.ok_or_else(|| "its time is not understood".to_owned())?;
    let (method, path) = requested(word(12)?)?;
    Ok(Logged { line, at, is_whole: false, method, path, status: status_of(word(8)?)? })
}

/// Words; one in double quotes may have spaces, and quotes after a backslash.
fn words(text: &str) -> Vec<String> {
    let (mut all, mut word, mut in_quotes, mut escaped) = (Vec::new(), None::<String>, false, false);
    for c in text.chars() {
        match c {
            _ if escaped => {
                word.get_or_insert_default().push(c);
                escaped = false;
            }
            '\\' if in_quotes => escaped = true,
            '"' => {
                in_quotes = !in_quotes;
                word.get_or_insert_default();
            }
            ' ' if !in_quotes => all.extend(word.take()),
            c => word.get_or_insert_default().push(c),
        }
    }
    all.extend(word);
    all
}

/// `GET /orders HTTP/1.1`, or with a whole URL.
fn requested(text: &str) -> Result<(String, String), String> {
    let wrong = || format!("`{text}` is not a request such as `GET /orders HTTP/1.1`");
    let mut words = text.split(' ');
    let (method, target) = (words.next().ok_or_else(wrong)?, words.next().ok_or_else(wrong)?);
    let path = match target.split_once("://") {
        Some((_, rest)) => rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("/"),
        None => target,
    };
    if !method.bytes().all(|b| b.is_ascii_uppercase()) || method.is_empty() || !path.starts_with('/') {
        return Err(wrong());
    }
    if path.split('/').any(|segment| segment.starts_with('{') && segment.ends_with('}')) {
        return Err(format!(
            "`{path}` is a route, not what was asked for; log `$context.path` in place of `$context.resourcePath` or `$context.routeKey`"
        ));
    }
    Ok((method.to_owned(), path.to_owned()))
}

fn status_of(text: &str) -> Result<u16, String> {
    let status = text.parse().ok().filter(|status| (100..600).contains(status));
    status.ok_or_else(|| format!("`{text}` is not a status"))
}

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// `29/Nov/2026:12:00:00 +0000`
fn common_time(text: &str) -> Option<f64> {
    let (moment, zone) = text.trim().split_once(' ')?;
    let mut parts = moment.split(['/', ':']);
    let day = parts.next()?.parse().ok()?;
    let month = parts.next()?;
    let month = MONTHS.iter().zip(1..).find(|(name, _)| **name == month)?.1;
    let year = parts.next()?.parse().ok()?;
    let mut number = || parts.next()?.parse::<u32>().ok();
    let (hour, minute, second) = (number()?, number()?, number()?);
    let (sign, digits) = zone.split_at_checked(1)?;
    let (hours, minutes): (f64, f64) = (digits.get(..2)?.parse().ok()?, digits.get(2..)?.parse().ok()?);
    let ahead = (hours * 60.0 + minutes) * if sign == "-" { -60.0 } else { 60.0 };
    Some(seconds(year, month, day, (hour, minute, f64::from(second)))? - ahead)
}

/// `2026-11-29T12:00:00.186641Z`
fn iso_time(text: &str) -> Option<f64> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let mut date = date.split('-');
    let (year, month, day) = (date.next()?.parse().ok()?, date.next()?.parse().ok()?, date.next()?.parse().ok()?);
    let mut time = time.split(':');
    let (hour, minute, second) = (time.next()?.parse().ok()?, time.next()?.parse().ok()?, time.next()?.parse().ok()?);
    seconds(year, month, day, (hour, minute, second))
}

/// Seconds since 1970; the days by Hinnant's `days_from_civil`.
fn seconds(year: i64, month: i64, day: i64, (hour, minute, second): (u32, u32, f64)) -> Option<f64> {
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || hour > 23 || minute > 59 || !(0.0..61.0).contains(&second) {
        return None;
    }
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
    Some(days as f64 * 86_400.0 + f64::from(hour) * 3_600.0 + f64::from(minute) * 60.0 + second)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn one(text: &str) -> Logged {
        let all = read(text).unwrap();
        assert_eq!(all.len(), 1, "{all:?}");
        all[0].clone()
    }

    #[test]
    fn every_form_is_read() {
        // `date -u -d '2026-11-29 12:00:00' +%s`
        let noon = 1_795_953_600.0;
        let logged = |at: f64, is_whole, method: &str, path: &str, status| Logged {
            line: 1,
            at,
            is_whole,
            method: method.into(),
            path: path.into(),
            status,
        };
        assert_eq!(
            one("10.0.0.1 - frank [29/Nov/2026:12:00:00 +0000] \"GET /orders/7?full=1 HTTP/1.1\" 200 2326"),
            logged(noon, true, "GET", "/orders/7?full=1", 200)
        );
        assert_eq!(
            one("10.0.0.1 - - [29/Nov/2026:05:00:00 -0700] \"POST / HTTP/2.0\" 503 - \"http://a/\" \"a \\\"quoted\\\" agent\""),
            logged(noon, true, "POST", "/", 503)
        );
        assert_eq!(
            one(r#"{"requestTime":"29/Nov/2026:12:00:00 +0000","httpMethod":"GET","path":"/a","status":"404"}"#),
            logged(noon, true, "GET", "/a", 404)
        );
        assert_eq!(
            one(r#"{"requestTimeEpoch":1795953600250,"routeKey":"GET /a","status":200}"#),
            logged(noon + 0.25, false, "GET", "/a", 200)
        );
        let balancer = "https 2026-11-29T12:00:01.000000Z app/lb/50dc6c495c0c9188 192.168.131.39:2817 10.0.0.1:80 0.0 0.1 0.0 200 200 34 366 \
            \"GET https://www.example.com:443/a/b?c=d HTTP/1.1\" \"curl/7.46.0\" ECDHE TLSv1.2 arn:aws:x \"Root=1-58337262-36d228ad5d99923122bbe354\" \
            \"www.example.com\" \"arn:aws:y\" 0 2026-11-29T12:00:00.500000Z \"forward\" \"-\" \"-\"";
        assert_eq!(one(balancer), logged(noon + 0.5, false, "GET", "/a/b?c=d", 200));
    }

    #[test]
    fn what_is_not_understood_is_named_with_its_line() {
        let good = "10.0.0.1 - - [29/Nov/2026:12:00:00 +0000] \"GET / HTTP/1.1\" 200 1\n";
        for (text, says) in [
            (format!("{good}\nnonsense\n"), "line 3: it is not understood"),
            (format!("{good}{}", good.replace("Nov", "Nev")), "line 2: `29/Nev/2026:12:00:00 +0000` is not a time"),
            (format!("{good}{}", good.replace("GET /", "GET")), "line 2: `GET HTTP/1.1` is not a request"),
            (format!("{good}{}", good.replace(" 200 ", " 2000 ")), "line 2: `2000` is not a status"),
            (good.replace("GET /", "GET /orders/{id}"), "line 1: `/orders/{id}` is a route"),
            ("{\"status\":200}".to_owned(), "line 1: `requestTime`, `time` is missing"),
            ("{\"status\":200".to_owned(), "line 1: it is not JSON"),
            ("\n# only a comment\n".to_owned(), "it has no line"),
        ] {
            let wrong = read(&text).unwrap_err();
            assert!(wrong[0].contains(says), "{text}: {wrong:?}");
        }
        assert_eq!(read(&"nonsense\n".repeat(100)).unwrap_err().len(), 5);
    }

    #[test]
    fn a_line_that_was_cut_off_anywhere_is_read_or_refused() {
        let lines = [
            "10.0.0.1 - - [29/Nov/2026:12:00:00 +0000] \"GET /é HTTP/1.1\" 200 1",
            r#"{"requestTimeEpoch":1795953600250,"routeKey":"GET /a","status":200}"#,
            "http 2026-11-29T12:00:01.0Z a b c 0 0 0 200 200 34 366 \"GET http://é:80/a HTTP/1.1\" \"x\"",
        ];
        for line in lines {
            for (from, to) in line.char_indices().flat_map(|(at, _)| [(0, at), (at, line.len())]) {
                let _ = read(&line[from..to]);
            }
        }
    }

    #[test]
    fn days_are_counted_over_leap_years_and_ends_of_months() {
        for (text, expected) in
            [("1970-01-01T00:00:00Z", 0.0), ("2000-02-29T00:00:00Z", 951_782_400.0), ("2100-03-01T00:00:00Z", 4_107_542_400.0)]
        {
            assert_eq!(iso_time(text), Some(expected), "{text}");
        }
        assert_eq!(iso_time("2026-13-01T00:00:00Z"), None);
    }
}
