//! The interval log of HdrHistogram: one line for each second and tag, so that any HdrHistogram
//! tool can read it and the logs of several machines can be added up.

use std::io::{self, Write};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hdrhistogram::Histogram;
use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};
use hdrhistogram::serialization::{Deserializer, Serializer as _, V2DeflateSerializer};

use crate::counts::lowest_equivalent;
use crate::latencies::{IntervalHistogram, LONGEST_US, Latencies, Outcome, Phase, Tag};
use crate::measurements::RunKind;
use crate::rolls::{FaultSet, Rolls};

/// Why a log cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// Not an interval log.
    #[error("byte {0} of the interval log is not understood")]
    Form(usize),
    /// A tag that this program does not write.
    #[error("the tag `{0}` of the interval log is not one that brownout writes")]
    Tag(String),
    /// A histogram that cannot be read.
    #[error("a histogram of the interval log cannot be read: {0}")]
    Histogram(String),
}

/// Writes intervals as they end. The maximum of each line is in seconds.
#[derive(Debug)]
pub struct IntervalLogWriter<W: Write> {
    writer: W,
    scratch: Option<Histogram<u64>>,
}

/// Microseconds divided by this are the seconds of the third column.
const DIVISOR: f64 = 1_000_000.0;

impl<W: Write> IntervalLogWriter<W> {
    /// Writes the header.
    ///
    /// # Errors
    /// If the writer fails.
    pub fn new(mut writer: W, started_unix_ms: u64) -> io::Result<Self> {
        let started = started_unix_ms as f64 / 1000.0;
        writeln!(writer, "#[Histogram log format version 1.3]")?;
        writeln!(writer, "#[StartTime: {started:.3} (seconds since epoch)]")?;
        writeln!(writer, "#[BaseTime: {started:.3} (seconds since epoch)]")?;
        writeln!(writer, "#[MaxValueDivisor: {DIVISOR:.3}]")?;
        writeln!(writer, "\"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\"Interval_Compressed_Histogram\"")?;
        Ok(Self { writer, scratch: Histogram::new_with_bounds(1, LONGEST_US, 3).ok() })
    }

    /// Writes one interval.
    ///
    /// # Errors
    /// If the writer fails, or a count is too large for the format.
    pub fn write(&mut self, interval: &IntervalHistogram) -> io::Result<()> {
        let Some(histogram) = self.scratch.as_mut() else { return Ok(()) };
        histogram.reset();
        for (value, count) in &interval.pairs {
            histogram.saturating_record_n(u64::from(*value), u64::from(*count));
        }
        let mut bytes = Vec::new();
        V2DeflateSerializer::new().serialize(histogram, &mut bytes).map_err(|error| io::Error::other(error.to_string()))?;
        let (tag, second, max) = (tag_text(&interval.tag, interval.half), interval.second, histogram.max() as f64 / DIVISOR);
        writeln!(self.writer, "Tag={tag},{second}.000,1.000,{max:.3},{}", STANDARD.encode(bytes))
    }

    /// Flushes, so that a killed run loses at most a second.
    ///
    /// # Errors
    /// If the writer fails.
    pub fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

/// Characters that a tag must not contain, or that would not be read back.
const ESCAPED: [(char, &str); 5] = [('%', "%25"), ('_', "%5F"), (',', "%2C"), (';', "%3B"), ('\n', "%0A")];

fn endpoint_text(endpoint: &str) -> String {
    let escaped = |c: char| ESCAPED.iter().find(|(known, _)| *known == c).map_or_else(|| c.to_string(), |(_, text)| (*text).to_owned());
    endpoint.chars().map(|c| if c == ' ' { "_".to_owned() } else { escaped(c) }).collect()
}

fn read_endpoint(text: &str) -> String {
    let spaced = text.replace('_', " ");
    ESCAPED.iter().rev().fold(spaced, |text, (c, escaped)| text.replace(escaped, &c.to_string()))
}

/// `clinic_GET_/appointment/{id};fault;treatment;1.1.1;warm;answered;a`: a tag must not contain a
/// comma, a space or a line break. The fourth part has the faults that were about the request,
/// those that struck it, and those that struck its first call, as hexadecimal bits.
fn tag_text(tag: &Tag, half: bool) -> String {
    let (phase, arm, outcome) = (phase_text(tag.phase), tag.arm().name(), tag.outcome.name());
    let [about, struck, first] = [tag.rolls.about, tag.rolls.struck, tag.rolls.first].map(FaultSet::bits);
    let (start, half) = (if tag.cold { "cold" } else { "warm" }, if half { "b" } else { "a" });
    format!("{};{phase};{arm};{about:x}.{struck:x}.{first:x};{start};{outcome};{half}", endpoint_text(&tag.endpoint))
}

/// That of load alone is called as in an experiment.
const fn phase_text(phase: Phase) -> &'static str {
    RunKind::Experiment.phase(phase)
}

fn read_tag(text: &str) -> Option<(Tag, bool)> {
    let mut parts = text.rsplitn(7, ';');
    let half = match parts.next()? {
        "a" => false,
        "b" => true,
        _ => return None,
    };
    let named = parts.next()?;
    let outcome = Outcome::ALL.into_iter().find(|outcome| outcome.name() == named)?;
    let cold = match parts.next()? {
        "warm" => false,
        "cold" => true,
        _ => return None,
    };
    let rolls = read_rolls(parts.next()?)?;
    let arm = parts.next()?;
    let named = parts.next()?;
    let phase = Phase::ALL.into_iter().find(|phase| phase_text(*phase) == named)?;
    let tag = Tag { endpoint: read_endpoint(parts.next()?), phase, rolls, cold, outcome };
    (tag.arm().name() == arm).then_some((tag, half))
}

fn read_rolls(text: &str) -> Option<Rolls> {
    let mut sets = text.split('.').map(|bits| u64::from_str_radix(bits, 16).ok().map(FaultSet::from_bits));
    let rolls = Rolls { about: sets.next()??, struck: sets.next()??, first: sets.next()?? };
    sets.next().is_none().then_some(rolls)
}

/// Writes a whole log, sorted by second and tag: equal histograms give equal bytes.
///
/// # Errors
/// If the writer fails, or a count is too large for the format.
pub fn write_interval_log(writer: impl Write, started_unix_ms: u64, latencies: &Latencies) -> io::Result<()> {
    let mut log = IntervalLogWriter::new(writer, started_unix_ms)?;
    latencies.intervals().iter().try_for_each(|interval| log.write(interval))?;
    log.flush()
}

/// Reads a log back. A last line that was cut off by a kill is skipped.
///
/// # Errors
/// If it is not an interval log that brownout wrote.
pub fn read_interval_log(text: &str) -> Result<Latencies, LogError> {
    let mut latencies = Latencies::default();
    let whole = text.rfind('\n').map_or(0, |end| end + 1);
    // The legend is neither a comment nor an interval; the parser supports neither it nor quotes.
    let lines: String = text.get(..whole).unwrap_or_default().lines().filter(|l| !l.starts_with('"')).flat_map(|l| [l, "\n"]).collect();
    for entry in IntervalLogIterator::new(lines.as_bytes()) {
        let entry = entry.map_err(|error| match error {
            hdrhistogram::serialization::interval_log::LogIteratorError::ParseError { offset } => LogError::Form(offset),
        })?;
        let LogEntry::Interval(line) = entry else { continue };
        let tag = line.tag().map(|tag| tag.as_str().to_owned()).unwrap_or_default();
        let (tag, half) = read_tag(&tag).ok_or(LogError::Tag(tag))?;
        let bytes = STANDARD.decode(line.encoded_histogram()).map_err(|error| LogError::Histogram(error.to_string()))?;
        let histogram: Histogram<u64> =
            Deserializer::new().deserialize(&mut bytes.as_slice()).map_err(|error| LogError::Histogram(error.to_string()))?;
        let low = |value: u64| lowest_equivalent(u32::try_from(value).unwrap_or(u32::MAX));
        let count = |count: u64| u32::try_from(count).unwrap_or(u32::MAX);
        let pairs = histogram.iter_recorded().map(|step| (low(step.value_iterated_to()), count(step.count_at_value()))).collect();
        let second = u32::try_from(line.start_timestamp().as_secs()).unwrap_or(u32::MAX);
        latencies.add(&IntervalHistogram { second, tag, half, pairs });
    }
    Ok(latencies)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::rolls::ArmTag;

    const ENDPOINT: &str = "clinic_two GET /a_b/{id};x,100%5F";

    fn log() -> (Latencies, String) {
        let mut latencies = Latencies::default();
        for n in 0..3_000_u64 {
            let (rolls, cold) = (Rolls::one(n as usize % 5, n % 2 == 0), n % 7 == 0);
            let tag = Tag { endpoint: ENDPOINT.into(), phase: Phase::Fault, rolls, cold, outcome: Outcome::Answered };
            latencies.record((n / 500) as u32, &tag, 1 + n * n % 3_000_017, n % 3 == 0);
        }
        let mut bytes = Vec::new();
        let mut writer = IntervalLogWriter::new(&mut bytes, 1_700_000_000_123).unwrap();
        for interval in latencies.close_before(u32::MAX) {
            writer.write(&interval).unwrap();
        }
        writer.flush().unwrap();
        (latencies, String::from_utf8(bytes).unwrap())
    }

    #[test]
    fn a_log_reads_back_to_the_bit() {
        let (written, text) = log();
        let read = read_interval_log(&text).unwrap();
        let of = |latencies: &Latencies| {
            let all = latencies.blocks(|_| true, |second, half| Some((second, half)));
            (
                all,
                latencies.counts(|tag| tag.cold && tag.rolls == Rolls::one(3, true)),
                latencies.counts(|tag| tag.arm() == ArmTag::Control),
            )
        };
        assert!(of(&read) == of(&written));
        assert_eq!(read.endpoints(), [ENDPOINT]);
    }

    #[test]
    fn a_log_that_was_cut_off_loses_only_its_last_line() {
        let (written, text) = log();
        let read = read_interval_log(&text[..text.len() - 20]).unwrap();
        let before = |latencies: &Latencies| latencies.blocks(|_| true, |second, _| (second < 5).then_some(()));
        assert!(before(&read) == before(&written));
    }

    #[test]
    fn python_reads_the_same_numbers() {
        let (written, text) = log();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("latency.hlog");
        std::fs::write(&path, text).unwrap();
        let program = "import sys
from hdrh.histogram import HdrHistogram
from hdrh.log import HistogramLogReader
total = HdrHistogram(1, 3600000000, 3)
reader = HistogramLogReader(sys.argv[1], total)
while reader.get_next_interval_histogram() is not None: pass
reader = HistogramLogReader(sys.argv[1], total)
while reader.add_next_interval_histogram(total) is not None: pass
print(total.get_total_count(), *[total.get_value_at_percentile(p) for p in (50, 90, 99, 99.9, 100)])";
        let Ok(found) = std::process::Command::new("python3").args(["-c", program]).arg(&path).output() else {
            println!("skipped: there is no python3");
            return;
        };
        let complaint = String::from_utf8_lossy(&found.stderr).into_owned();
        if complaint.contains("ModuleNotFoundError") {
            println!("skipped: python3 has no package hdrhistogram (`pip install hdrhistogram`)");
            return;
        }
        let counts = written.counts(|_| true);
        let mut expected = vec![counts.total()];
        expected.extend([0.5, 0.9, 0.99, 0.999, 1.0].map(|q| counts.quantile(q).unwrap()));
        let numbers: Vec<u64> = String::from_utf8_lossy(&found.stdout).split_whitespace().map(|n| n.parse().unwrap()).collect();
        assert_eq!(numbers, expected, "{complaint}");
    }

    proptest! {
        #[test]
        fn any_text_is_a_log_or_an_error(text in "(?s).{0,200}", start in 0_u32..100, payload in "[A-Za-z0-9+/=]{0,60}") {
            let _ = read_interval_log(&text);
            let _ = read_interval_log(&format!("#[StartTime: 1.0 (seconds since epoch)]\nTag=e;fault;control;1.0.0;warm;answered;a,{start},1,0.5,{payload}\n{text}\n"));
        }
    }
}
