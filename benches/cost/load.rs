//! The most invocations a second, with 1 and 16 pollers; memory; start time; size.

use std::path::Path;
use std::time::Duration;

use crate::busy::Busy;
use crate::lambda;
use crate::paths::{WAYS, Way};
use crate::support::{self, Done, Part, median, processor_time};
use crate::{Figure, NO_PLAN, ROOT, payload};

/// A program between platform and runtime, with the runtimes behind it.
struct Loaded {
    busy: Busy,
    part: Part,
    rates: Vec<f64>,
    /// The microseconds an invocation, by round.
    cpu: Vec<f64>,
}

fn loaded(extension: &Path, pollers: usize, payload: &str) -> Done<Vec<Loaded>> {
    let mut all = Vec::new();
    for way in WAYS.into_iter().filter(|way| *way != Way::Direct) {
        let busy = Busy::start(ROOT, payload)?;
        let (part, address, _) = way.start(extension, busy.address, NO_PLAN)?;
        for _ in 0..pollers {
            lambda::start_runtime(address, payload.to_owned())?;
        }
        all.push(Loaded { busy, part: part.ok_or("nothing stands in between")?, rates: Vec::new(), cpu: Vec::new() });
    }
    Ok(all)
}

fn three(mut values: impl Iterator<Item = f64>) -> [f64; 3] {
    [values.next(), values.next(), values.next()].map(|value| value.unwrap_or(f64::NAN))
}

/// Invocations a second with 1 and 16 pollers, and processor time an invocation with 16, from the kernel's own accounting.
pub fn rates(extension: &Path, short: bool) -> Done<Vec<Figure>> {
    let (rounds, time) = if short { (3, Duration::from_millis(200)) } else { (11, Duration::from_millis(500)) };
    let mut figures = Vec::new();
    for pollers in [1, 16] {
        let mut all = loaded(extension, pollers, &payload(1 << 10))?;
        for _ in 0..=rounds {
            for one in &mut all {
                let before = processor_time(one.part.pid());
                let (count, took) = one.busy.run(time);
                let cpu = processor_time(one.part.pid()).saturating_sub(before);
                one.rates.push(count as f64 / took.as_secs_f64());
                one.cpu.push(cpu.as_secs_f64() * 1e6 / count as f64);
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        // The first round is a warm-up.
        let values = three(all.iter_mut().map(|one| median(one.rates.get_mut(1..).unwrap_or_default())));
        let [_, pass_through, ours] = values;
        let name = format!("invocations a second, pollers: {pollers}");
        figures.push(Figure { name, values, unit: "/s", bar: ">= pass-through".to_owned(), met: ours >= pass_through });
        if pollers == 16 {
            let values = three(all.iter_mut().map(|one| median(one.cpu.get_mut(1..).unwrap_or_default())));
            let [_, pass_through, ours] = values;
            let (name, met) = ("CPU an invocation, 16 pollers".to_owned(), ours <= 1.1 * pass_through);
            figures.push(Figure { name, values, unit: "us", bar: "<= 1.1 x pass-through".to_owned(), met });
        }
    }
    Ok(figures)
}

/// Resident memory after a few small events, and the peak with four events of 6 MB at once.
pub fn memory(extension: &Path) -> Done<Vec<Figure>> {
    let small = loaded(extension, 1, &payload(1 << 10))?;
    let idle = three(small.iter().map(|one| {
        one.busy.run(Duration::from_millis(50));
        std::thread::sleep(Duration::from_millis(100));
        support::memory(one.part.pid()).0
    }));
    let large = loaded(extension, 4, &payload(6 << 20))?;
    let peak = three(large.iter().map(|one| {
        while one.busy.answered() < 16 {
            one.busy.run(Duration::from_millis(200));
        }
        support::memory(one.part.pid()).1
    }));
    let figure = |name: &str, values: [f64; 3], most: f64| {
        let [.., ours] = values;
        Figure { name: name.to_owned(), values, unit: "MB", bar: format!("<= {most:.0} MB"), met: ours <= most }
    };
    Ok(vec![figure("resident memory, idle", idle, 4.0), figure("most resident, four events of 6 MB at once", peak, 20.0)])
}

/// The time from the start of the process until it listens, and the stripped binary's size.
pub fn starts(extension: &Path, rounds: usize) -> Done<Vec<Figure>> {
    let mut took: Vec<Vec<f64>> = vec![Vec::new(); WAYS.len() - 1];
    for _ in 0..rounds {
        for (way, took) in WAYS.into_iter().skip(1).zip(&mut took) {
            let busy = Busy::start(ROOT, "{}")?;
            let (_part, _, time) = way.start(extension, busy.address, NO_PLAN)?;
            took.push(time.as_secs_f64() * 1e3);
        }
    }
    let values = three(took.iter_mut().map(|took| median(took)));
    let [.., ours] = values;
    let start = Figure { name: "start to listening".to_owned(), values, unit: "ms", bar: "<= 3 ms".to_owned(), met: ours <= 3.0 };
    Ok(vec![start, size(extension)?])
}

fn size(extension: &Path) -> Done<Figure> {
    let stripped = extension.with_file_name("brownout-extension.stripped");
    let done = std::process::Command::new("strip").arg("-o").arg(&stripped).arg(extension).status().is_ok_and(|status| status.success());
    let megabytes = std::fs::metadata(if done { &stripped } else { extension })?.len() as f64 / 1e6;
    let name = if done { "binary, stripped" } else { "binary, not stripped: no `strip` here" };
    Ok(Figure {
        name: name.to_owned(),
        values: [f64::NAN, f64::NAN, megabytes],
        unit: "MB",
        bar: "<= 3 MB".to_owned(),
        met: megabytes <= 3.0,
    })
}
