//! Numbers become a verdict, and a verdict becomes files. Pure but for the files that the caller names: no clock, no socket.

pub mod expectation;
pub mod latencies;
pub mod measurements;

pub use expectation::{Bound, Expectation};
pub use latencies::{ArmTag, Latencies, Outcome, Phase, Tag};
pub use measurements::Measurements;

/// STUB
pub mod formats { 
/// STUB
pub mod interval_log {
    use std::io;
    /// STUB
    pub struct IntervalLogWriter<W: io::Write>(W);
    impl<W: io::Write> IntervalLogWriter<W> {
        /// STUB
        pub fn new(w: W, _started: u64) -> io::Result<Self> { Ok(Self(w)) }
        /// STUB
        pub fn write(&mut self, _h: &crate::latencies::IntervalHistogram) -> io::Result<()> { Ok(()) }
        /// STUB
        pub fn flush(&mut self) -> io::Result<()> { self.0.flush() }
    }
} }
/// STUB
#[derive(Debug, Clone, Copy)]
pub enum Verdict { /// S
Held, /// S
Broken }
impl Verdict { /// S
pub fn name(self) -> &'static str { match self { Self::Held => "held", Self::Broken => "broken" } }
/// S
pub fn exit_code(self) -> u8 { match self { Self::Held => 0, Self::Broken => 3 } } }
/// STUB
pub struct Report { /// S
pub verdict: Verdict, /// S
pub sentence: String, dump: String }
/// STUB
pub fn judge(m: &Measurements) -> Report { let broken = m.invariants.iter().any(|i| i.broken > 0); Report { verdict: if broken { Verdict::Broken } else { Verdict::Held }, sentence: String::new(), dump: format!("{:#?}", (&m.books, &m.injections, &m.discrepancies, &m.generator, &m.platform, &m.invariants, &m.end, &m.notes)) } }
/// STUB
pub fn write_all(f: &std::path::Path, r: &Report, _l: &Latencies) -> std::io::Result<()> { std::fs::write(f.join("summary.md"), &r.dump) }
/// STUB
pub fn render_again(_f: &std::path::Path) -> std::io::Result<Report> { Err(std::io::Error::other("stub")) }
