//! One event at a time with the runtime parked on `next`: what each path adds to the direct one,
//! seen from the platform.

use std::path::Path;
use std::time::Duration;

use crate::lambda::{self, Platform};
use crate::paths::WAYS;
use crate::support::{Done, Part, median, quantile};
use crate::{Figure, NO_PLAN, ROOT};

/// The pause between two events, so that all processes sleep by then.
pub const REST: Duration = Duration::from_micros(500);

/// The p50 that each path adds, in microseconds: the medians over `blocks` alternating blocks, and
/// the quietest blocks.
pub fn added(extension: &Path, name: &str, payload: &str, block: usize, blocks: usize) -> Done<Figure> {
    let mut ways: Vec<(Platform, Option<Part>, Vec<f64>)> = Vec::new();
    for way in WAYS {
        let platform = Platform::start(REST)?;
        let (part, address, _) = way.start(extension, platform.address, NO_PLAN)?;
        lambda::start_runtime(address, payload.to_owned())?;
        ways.push((platform, part, Vec::new()));
    }
    for (platform, ..) in &mut ways {
        p50(platform, payload, block)?;
    }
    for _ in 0..blocks {
        let mut direct = None;
        for (platform, _, added) in &mut ways {
            let found = p50(platform, payload, block)?;
            added.push(found - *direct.get_or_insert(found));
        }
    }
    let quietest: Vec<String> =
        ways.iter().skip(1).map(|(.., added)| format!("{:.0}", added.iter().copied().fold(f64::INFINITY, f64::min))).collect();
    let mut medians = ways.iter_mut().skip(1).map(|(.., added)| median(added));
    let values = [medians.next(), medians.next(), medians.next()].map(|value| value.unwrap_or(f64::NAN));
    let [forwarder, pass_through, ours] = values;
    println!("added p50 at {name}, quietest blocks: forwarder, pass-through, extension: {} us", quietest.join(", "));
    let stretch = if name == "1 KB" && ours <= 2.0 * forwarder { "; stretch 2 x forwarder: met" } else { "" };
    Ok(Figure {
        name: format!("added p50 at {name}"),
        values,
        unit: "us",
        bar: format!("<= pass-through{stretch}"),
        met: ours <= pass_through,
    })
}

/// The median time of a block of invocations, in microseconds.
pub fn p50(platform: &mut Platform, payload: &str, block: usize) -> Done<f64> {
    let mut times = Vec::with_capacity(block);
    for _ in 0..block {
        times.push(platform.invoke(ROOT, payload)?.as_secs_f64() * 1e6);
    }
    Ok(quantile(&mut times, 0.5))
}
