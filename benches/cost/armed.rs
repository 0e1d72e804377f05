//! The cost of a plan that reads events, compared with an idle extension and a plain pass-through
//! in the same run: processor time an invocation, and peak memory. The events are nested JSON like
//! a REST API's: the path is at the front, the value of a pointer may be anywhere.

use std::path::Path;
use std::time::Duration;

use crate::busy::Busy;
use crate::lambda;
use crate::paths::Way;
use crate::support::{self, Done, Part, processor_time, quantile, row, table};
use crate::{NO_PLAN, ROOT};

/// Nothing is struck: the bench measures the reading, and the line of the control arm.
const SHARE: f64 = 0.0;

/// The filters that are compared. The last one needs the end of the event: not a usual filter, but
/// the worst case.
const FILTERS: [(&str, &str, bool); 4] = [
    ("path", r#"{"path":"/orders/*"}"#, true),
    ("pointer", r#"{"pointer":{"/requestContext/stage":"dev"}}"#, true),
    ("pointer, not there", r#"{"pointer":{"/requestContext/none":"dev"}}"#, true),
    ("pointer, last", r#"{"pointer":{"/last/0":"x"}}"#, false),
];

/// An event of about this many bytes.
fn event(bytes: usize) -> String {
    let one = r#"{"id":"a1b2c3","count":12345,"tags":["red","b\"lue"],"in":{"x":1.50,"y":[null,true]}}"#;
    let rows = format!("{one},").repeat(bytes.saturating_sub(300) / (one.len() + 1));
    format!(
        r#"{{"resource":"/orders/{{id}}","path":"/orders/7","httpMethod":"GET","requestContext":{{"stage":"dev"}},"rows":[{rows}{one}],"last":["x"]}}"#
    )
}

fn plan(filters: &[&str]) -> String {
    let fault = |(n, when): (usize, &&str)| {
        format!(
            r#"{{"name":"f{n}","place":{{"function":"f"}},"share":{SHARE},"when":{when},"kind":{{"latency":{{"at":"before","time":"1ms"}}}}}}"#
        )
    };
    let faults: Vec<_> = filters.iter().enumerate().map(fault).collect();
    format!(
        r#"json:{{"version":1,"run":"r","sequence":1,"lease_ms":60000,"until_ms":4102444800000,"seed":7,"faults":[{}]}}"#,
        faults.join(",")
    )
}

/// A program between a platform and a runtime.
struct Arm {
    busy: Busy,
    part: Part,
    /// The microseconds an invocation, by round.
    cpu: Vec<f64>,
}

impl Arm {
    fn start(way: Way, extension: &Path, plan: &str, event: &str) -> Done<Self> {
        let busy = Busy::start(ROOT, event)?;
        let (part, address, _) = way.start(extension, busy.address, plan)?;
        lambda::start_runtime(address, "{}".to_owned())?;
        let mut part = part.ok_or("nothing stands in between")?;
        part.ignore();
        Ok(Self { busy, part, cpu: Vec::new() })
    }

    fn measure(&mut self, time: Duration) {
        let before = processor_time(self.part.pid());
        let (count, _) = self.busy.run(time);
        // By now, everything in flight is answered.
        std::thread::sleep(Duration::from_millis(30));
        let cpu = processor_time(self.part.pid()).saturating_sub(before);
        self.cpu.push(cpu.as_secs_f64() * 1e6 / count.max(1) as f64);
    }

    /// The time of the quietest tenth of the rounds: other processes can only add to it. The first
    /// round is a warm-up.
    fn quiet(&mut self) -> f64 {
        quantile(self.cpu.get_mut(1..).unwrap_or_default(), 0.1)
    }
}

/// Prints the table: pass-through, idle and armed, event by event.
pub fn compare(extension: &Path, short: bool) -> Done {
    let (rounds, time) = if short { (5, Duration::from_millis(80)) } else { (24, Duration::from_millis(100)) };
    let mut rows = vec![row!["event", "plan", "x pass-through", "x idle", "CPU an invocation", "most resident", "bar", ""]];
    for (name, bytes) in
        [("1 KB", 1 << 10), ("4 KB", 4 << 10), ("16 KB", 16 << 10), ("64 KB", 64 << 10), ("256 KB", 256 << 10), ("6 MB", 6 << 20)]
    {
        let event = event(bytes);
        let mut arms =
            vec![Arm::start(Way::PassThrough, extension, NO_PLAN, &event)?, Arm::start(Way::Extension, extension, NO_PLAN, &event)?];
        for (_, filter, _) in FILTERS {
            arms.push(Arm::start(Way::Extension, extension, &plan(&[filter]), &event)?);
        }
        for _ in 0..=rounds {
            arms.iter_mut().for_each(|arm| arm.measure(time));
        }
        let most = if bytes > 1 << 20 { 1.5 } else { 1.3 };
        rows.extend(rows_of(name, most, &mut arms));
    }
    table("What a plan costs that looks at events (the quietest tenth of alternating blocks, one poller, a small answer)", &rows);
    twenty(extension, rounds, time)
}

fn rows_of(name: &str, most: f64, arms: &mut [Arm]) -> Vec<Vec<String>> {
    let values: Vec<(f64, f64)> = arms.iter_mut().map(|arm| (arm.quiet(), support::memory(arm.part.pid()).1)).collect();
    let of = |at: usize| values.get(at).map_or(f64::NAN, |(cpu, _)| *cpu);
    let (pass_through, idle) = (of(0), of(1));
    let plans = ["pass-through", "idle"].into_iter().map(|name| (name, false)).chain(FILTERS.map(|(name, _, has_bar)| (name, has_bar)));
    let line = |((plan, has_bar), (cpu, memory)): ((&str, bool), &(f64, f64))| {
        let met = cpu / idle <= most && *memory <= 12.0;
        let (bar, verdict) =
            if has_bar { (format!("<= {most} x idle, <= 12 MB"), if met { "met" } else { "MISSED" }) } else { (String::new(), "") };
        row![
            name,
            plan,
            format!("{:.2}", cpu / pass_through),
            format!("{:.2}", cpu / idle),
            format!("{cpu:.1} us"),
            format!("{memory:.1} MB"),
            bar,
            verdict
        ]
    };
    plans.zip(&values).map(line).collect()
}

/// The additional cost of twenty faults over one, with an event of 1 KB.
fn twenty(extension: &Path, rounds: usize, time: Duration) -> Done {
    let event = event(1 << 10);
    let [(_, filter, _), ..] = FILTERS;
    let mut arms = [1, 20]
        .map(|count| Arm::start(Way::Extension, extension, &plan(&vec![filter; count]), &event))
        .into_iter()
        .collect::<Done<Vec<_>>>()?;
    for _ in 0..=rounds {
        arms.iter_mut().for_each(|arm| arm.measure(time));
    }
    let quiet: Vec<f64> = arms.iter_mut().map(Arm::quiet).collect();
    let [one, twenty] = [0, 1].map(|at| quiet.get(at).copied().unwrap_or(f64::NAN));
    println!("CPU an invocation of 1 KB with 1 and with 20 faults about it: {one:.1} and {twenty:.1} us; bar: +3 us");
    Ok(())
}
