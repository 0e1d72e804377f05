//! What a run costs, by its order of magnitude, from its file alone. It is an estimate: AWS's bill is what counts.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use faults::{Fault, Place};

use crate::prices::{
    ACTION_MINUTE, API_REQUEST, APPCONFIG_READ, AUTOMATION_STEP, GB_SECOND, INVOCATION, LOG_GB, PARAMETER_CALL, Price, S3_READ,
};

/// An invocation that no fault strikes takes about this long.
const UNTOUCHED: Duration = Duration::from_millis(200);
/// A function's memory in MB, if it is not known.
const MEMORY_MB: u32 = 512;
/// A function's timeout, if it is not known.
const TIMEOUT: Duration = Duration::from_secs(3);
/// The bytes that an invocation adds to the logs: Lambda's own three lines, and one of the ledger.
const LOG_BYTES: f64 = 1_000.0;
/// How often an environment reads its plan while a lease runs.
const READ_EVERY: Duration = Duration::from_millis(1_700);
/// FIS's document attaches and detaches in about this time.
const AROUND: Duration = Duration::from_secs(120);
/// The steps of FIS's document, without the two of each renewal, every 30 s.
const STEPS: f64 = 6.0;
/// The longest value of a standard parameter in bytes.
const STANDARD: usize = 4 * 1024;

/// A function that faults strike.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Struck {
    share: f64,
    memory_mb: u32,
    timeout: Duration,
}

/// What a run uses.
#[derive(Debug, Clone, PartialEq)]
pub struct Usage {
    arrivals: f64,
    length: Duration,
    fault: Duration,
    functions: BTreeMap<String, Struck>,
    /// From the start of FIS's experiment until the faults are in force, at most; `None` if FIS drives nothing.
    lead: Option<Duration>,
    plan_bytes: usize,
}

impl Usage {
    /// That of `rate` arrivals a second for `length`, each of which invokes every struck function once, with the faults in force for `fault`.
    pub fn of(faults: &[Fault], rate: f64, length: Duration, fault: Duration) -> Self {
        let mut functions: BTreeMap<String, Struck> = BTreeMap::new();
        for fault in faults {
            let Place::Function(name) = &fault.place else { continue };
            let struck = functions.entry(name.clone()).or_insert(Struck { share: 0.0, memory_mb: MEMORY_MB, timeout: TIMEOUT });
            struck.share = (struck.share + fault.share.value()).min(1.0);
        }
        let plan_bytes = serde_json::to_string(faults).map_or(0, |text| text.len());
        Self { arrivals: rate, length, fault, functions, lead: None, plan_bytes }
    }

    /// The same with a function's own timeout, and its memory in MB if that is known.
    #[must_use]
    pub fn with_function(mut self, name: &str, memory_mb: Option<u32>, timeout: Duration) -> Self {
        if let Some(struck) = self.functions.get_mut(name) {
            *struck = Struck { memory_mb: memory_mb.unwrap_or(MEMORY_MB), timeout, ..*struck };
        }
        self
    }

    /// The same, driven by FIS with this lead at most.
    #[must_use]
    pub fn by_fis(self, lead: Duration) -> Self {
        Self { lead: Some(lead), ..self }
    }

    /// The cost.
    pub fn cost(&self) -> Cost {
        let requests = self.arrivals * self.length.as_secs_f64();
        let invocations = requests * self.functions.len() as f64;
        let gb_seconds: f64 = self.functions.values().map(|function| self.gb_seconds(requests, *function)).sum();
        let mut items = vec![
            Item::new("Lambda requests", invocations, INVOCATION),
            Item::new("GB-seconds", gb_seconds, GB_SECOND),
            Item::new("API Gateway requests", requests, API_REQUEST),
            Item::new("GB of logs", invocations * LOG_BYTES / 1e9, LOG_GB),
        ];
        let reads = self.reads();
        let parameter = if self.plan_bytes > STANDARD { PARAMETER_CALL } else { Price { usd: 0.0, ..PARAMETER_CALL } };
        items.push(Item::new("reads of the plan", reads, parameter));
        if let Some(lead) = self.lead {
            let minutes = ((lead + self.fault + AROUND).as_secs_f64() / 60.0).ceil();
            let renewals = ((lead + self.fault).as_secs_f64() / 30.0).ceil();
            items.push(Item::new("FIS action-minutes", minutes, ACTION_MINUTE));
            items.push(Item::new("automation steps", STEPS + 2.0 * renewals, AUTOMATION_STEP));
        }
        Cost { items, in_s3: reads * S3_READ.usd, in_appconfig: reads * APPCONFIG_READ.usd }
    }

    /// Of a struck invocation it is assumed that it lasts until the function's timeout.
    fn gb_seconds(&self, requests: f64, function: Struck) -> f64 {
        let struck = self.arrivals * self.fault.as_secs_f64() * function.share;
        let seconds = requests * UNTOUCHED.as_secs_f64() + struck * function.timeout.as_secs_f64();
        seconds * f64::from(function.memory_mb) / 1_024.0
    }

    /// The reads of the plan by all environments: as many as run at once.
    fn reads(&self) -> f64 {
        let each = self.length.as_secs_f64() / READ_EVERY.as_secs_f64();
        let at_once = |function: &Struck| {
            let mean = UNTOUCHED.as_secs_f64() + function.share * function.timeout.as_secs_f64();
            (self.arrivals * mean).ceil().max(1.0)
        };
        self.functions.values().map(|function| at_once(function) * each).sum()
    }
}

/// One item of a cost.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Item {
    /// What there is of it.
    pub what: &'static str,
    /// How much.
    pub count: f64,
    /// Its price.
    pub price: Price,
}

impl Item {
    const fn new(what: &'static str, count: f64, price: Price) -> Self {
        Self { what, count, price }
    }

    /// In US dollars.
    pub fn usd(&self) -> f64 {
        self.count * self.price.usd
    }
}

/// What a run costs.
#[derive(Debug, Clone, PartialEq)]
pub struct Cost {
    /// Its items.
    pub items: Vec<Item>,
    in_s3: f64,
    in_appconfig: f64,
}

impl Cost {
    /// In US dollars.
    pub fn usd(&self) -> f64 {
        self.items.iter().map(Item::usd).sum()
    }
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "about {}: ", dollars(self.usd()))?;
        for (number, item) in self.items.iter().enumerate() {
            let separator = if number == 0 { "" } else { ", " };
            write!(f, "{separator}{} {} ({})", count(item.count), item.what, dollars(item.usd()))?;
        }
        let (s3, appconfig) = (dollars(self.in_s3), dollars(self.in_appconfig));
        write!(
            f,
            "\nA plan in S3 would be read for {s3}, one in AppConfig for {appconfig}. Not counted: what functions call, functions that no fault \
             names, and free tiers. Calls to change and to read functions cost nothing. Prices of us-east-1: docs/aws-cost.md"
        )
    }
}

/// One significant digit, rounded up: more would say that it is known.
fn one_digit(value: f64) -> f64 {
    if value <= 0.0 {
        return 0.0;
    }
    let unit = 10_f64.powf(value.log10().floor());
    // A price per GB-second has six digits, and a value such as 0.3 is not exact in binary.
    (value / unit - 1e-3).ceil() * unit
}

/// An amount in words.
fn dollars(usd: f64) -> String {
    match one_digit(usd) {
        0.0 => "$0".to_owned(),
        little if little < 0.01 => "less than $0.01".to_owned(),
        cents if cents < 1.0 => format!("${}", (cents * 100.0).round() / 100.0),
        dollars => format!("${dollars:.0}"),
    }
}

/// How much of something, in words.
fn count(count: f64) -> String {
    let rounded = one_digit(count);
    if rounded < 1.0 { format!("{rounded:.3}").trim_end_matches('0').trim_end_matches('.').to_owned() } else { format!("{rounded:.0}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prices::PRICES;

    fn faults(text: &str) -> Vec<Fault> {
        let plan = format!(r#"{{"version":1,"run":"r","sequence":1,"lease_ms":60000,"seed":7,"faults":[{text}]}}"#);
        faults::Plan::read(plan.as_bytes()).unwrap().faults
    }

    fn slow(name: &str, share: f64) -> String {
        format!(r#"{{"name":"{name}-{share}","place":{{"function":"{name}"}},"share":{share},"kind":{{"latency":{{"time":"300ms"}}}}}}"#)
    }

    const MINUTE: Duration = Duration::from_secs(60);

    /// 100 arrivals a second for ten minutes, two of them with a fault on half of the calls of a function of 1 GB.
    fn usage() -> Usage {
        Usage::of(&faults(&slow("orders", 0.5)), 100.0, 10 * MINUTE, 2 * MINUTE).with_function(
            "orders",
            Some(1_024),
            Duration::from_secs(2),
        )
    }

    fn item(cost: &Cost, what: &str) -> Item {
        *cost.items.iter().find(|item| item.what == what).unwrap()
    }

    fn near(one: f64, other: f64) -> bool {
        (one - other).abs() < 1e-6 * other.abs().max(1e-6)
    }

    #[test]
    fn each_item_is_rate_by_time_by_price() {
        let cost = usage().cost();
        // 60,000 of 0.2 s and half of 12,000 for 2 s more, with 1 GB.
        for (what, expected, usd) in [
            ("Lambda requests", 60_000.0, 0.012),
            ("GB-seconds", 24_000.0, 0.400_000_8),
            ("API Gateway requests", 60_000.0, 0.21),
            ("GB of logs", 0.06, 0.03),
        ] {
            let item = item(&cost, what);
            assert!(near(item.count, expected) && near(item.usd(), usd), "{what}: {item:?}");
        }
        assert!(near(cost.usd(), 0.012 + 0.400_000_8 + 0.21 + 0.03), "{cost}");
        // 120 environments at once, each every 1.7 s for 600 s.
        assert!(near(item(&cost, "reads of the plan").count, 120.0 * 600.0 / 1.7));
        assert!(cost.to_string().starts_with("about $0.7: 60000 Lambda requests ($0.02), 30000 GB-seconds ($0.4), "), "{cost}");
    }

    #[test]
    fn fis_is_paid_by_the_minute_and_only_where_it_drives() {
        let cost = usage().by_fis(2 * MINUTE).cost();
        // 2 min of lead, 2 of faults, 2 around them; 8 renewals.
        assert!(near(item(&cost, "FIS action-minutes").usd(), 0.6) && near(item(&cost, "automation steps").count, 22.0), "{cost}");
        assert!(near(cost.usd(), usage().cost().usd() + 0.6 + 0.044));
        assert!(!usage().cost().to_string().contains("FIS"));
    }

    #[test]
    fn twice_the_rate_time_or_memory_costs_more_and_other_functions_count_once_each() {
        let base = usage().cost().usd();
        let two = Usage::of(&faults(&format!("{},{}", slow("orders", 0.5), slow("authorizer", 1.0))), 100.0, 10 * MINUTE, 2 * MINUTE);
        assert!(near(item(&two.cost(), "Lambda requests").count, 120_000.0));
        assert!(near(Usage { arrivals: 200.0, ..usage() }.cost().usd(), 2.0 * base));
        assert!(Usage { length: 20 * MINUTE, ..usage() }.cost().usd() > base * 1.5);
        let twice = usage().with_function("orders", Some(2_048), Duration::from_secs(2)).cost();
        assert!(near(item(&twice, "GB-seconds").count, 48_000.0));
        // Two faults on one function strike no more than all of its calls.
        let all = Usage::of(&faults(&format!("{},{}", slow("orders", 0.5), slow("orders", 1.0))), 100.0, 10 * MINUTE, 2 * MINUTE);
        let all = all.with_function("orders", Some(1_024), Duration::from_secs(2)).cost();
        assert!(near(item(&all, "GB-seconds").count, 12_000.0 + 24_000.0));
    }

    #[test]
    fn a_plan_that_needs_an_advanced_parameter_is_paid_for_each_read() {
        let reads = |plan_bytes| item(&Usage { plan_bytes, ..usage() }.cost(), "reads of the plan").usd();
        assert!(near(reads(STANDARD), 0.0) && near(reads(STANDARD + 1), 120.0 * 600.0 / 1.7 * 0.05 / 1e4));
    }

    #[test]
    fn amounts_have_one_digit_and_are_rounded_up() {
        for (usd, expected) in
            [(0.0, "$0"), (0.000_1, "less than $0.01"), (0.011, "$0.02"), (0.3, "$0.3"), (0.31, "$0.4"), (0.95, "$1"), (12.0, "$20")]
        {
            assert_eq!(dollars(usd), expected, "{usd}");
        }
        assert_eq!([count(0.0), count(0.061), count(22.0)], ["0", "0.07", "30"]);
    }

    /// `BROWNOUT_WRITE=1` writes the page.
    #[test]
    fn the_page_has_every_price_with_its_source_and_month() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../docs/aws-cost.md");
        let rows: String = PRICES
            .iter()
            .map(|Price { of, usd, source, read }| {
                assert!(source.starts_with("https://aws.amazon.com/") && read.len() == 7 && *usd > 0.0, "{of}");
                format!("| {of} | {} | {source} | {read} |\n", format!("{usd:.10}").trim_end_matches('0'))
            })
            .collect();
        let kept = std::fs::read_to_string(&path).unwrap();
        let (before, rest) = kept.split_once("|---|---|---|---|\n").unwrap();
        let (table, after) = rest.split_once("\n\n").map_or((rest, ""), |(table, after)| (table, after));
        if std::env::var_os("BROWNOUT_WRITE").is_some() {
            std::fs::write(&path, format!("{before}|---|---|---|---|\n{rows}\n{after}")).unwrap();
        } else {
            assert_eq!(table.trim_end(), rows.trim_end(), "BROWNOUT_WRITE=1 writes the page");
        }
    }
}
