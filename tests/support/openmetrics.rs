//! A strict reader of OpenMetrics text 1.0, as far as brownout writes it. It panics at what the
//! specification forbids: <https://prometheus.io/docs/specs/om/open_metrics_spec/>.

use std::collections::{BTreeMap, BTreeSet};

/// The labels of a sample, by name.
type Labels = BTreeMap<String, String>;

/// What was read: the value of each sample, and whether it may only rise.
#[derive(Debug, Default)]
pub struct Metrics(BTreeMap<(String, String), (f64, bool)>);

impl Metrics {
    /// The value of a sample; `labels` as `a=1,b=2`, sorted by name.
    pub fn value(&self, name: &str, labels: &str) -> Option<f64> {
        self.0.get(&(name.to_owned(), labels.to_owned())).map(|(value, _)| *value)
    }

    /// The sum of the samples of this name whose labels contain `part`.
    pub fn sum(&self, name: &str, part: &str) -> f64 {
        let chosen = self.0.iter().filter(|((known, labels), _)| known == name && labels.contains(part));
        chosen.map(|(_, (value, _))| *value).sum()
    }

    /// Panics if a sample that may only rise is gone or has fallen.
    pub fn has_risen_since(&self, earlier: &Self) {
        for ((name, labels), (was, _)) in earlier.0.iter().filter(|(_, (_, only_rises))| *only_rises) {
            let value = self.value(name, labels).unwrap_or_else(|| panic!("{name} {labels} is gone"));
            assert!(value >= *was, "{name} {labels} fell from {was} to {value}");
        }
    }
}

/// A family while its samples are read.
struct Family {
    name: String,
    kind: String,
    /// Of a histogram: the buckets by their other labels, as they came.
    buckets: BTreeMap<String, Vec<(f64, f64)>>,
    counts: BTreeMap<String, f64>,
}

/// Reads a whole text.
pub fn read(text: &str) -> Metrics {
    let text = text.strip_suffix("# EOF\n").expect("the last line is `# EOF`");
    assert!(text.is_empty() || text.ends_with('\n'), "`# EOF` has a line of its own");
    let (mut metrics, mut family, mut families) = (Metrics::default(), None::<Family>, BTreeSet::new());
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').expect(line);
            assert!(families.insert(name.to_owned()), "`{name}` has one family");
            family.iter().for_each(finish);
            assert!(["counter", "gauge", "histogram", "info", "stateset"].contains(&kind), "{line}");
            family = Some(Family { name: name.to_owned(), kind: kind.to_owned(), buckets: BTreeMap::new(), counts: BTreeMap::new() });
            continue;
        }
        let family = family.as_mut().expect("a family begins with its type");
        if let Some(rest) = line.strip_prefix("# UNIT ") {
            let (name, unit) = rest.split_once(' ').expect(line);
            assert!(name == family.name && name.ends_with(&format!("_{unit}")), "{line}");
        } else if let Some(rest) = line.strip_prefix("# HELP ") {
            assert_eq!(rest.split(' ').next(), Some(family.name.as_str()), "{line}");
        } else {
            sample(line, family, &mut metrics);
        }
    }
    family.iter().for_each(finish);
    metrics
}

fn sample(line: &str, family: &mut Family, metrics: &mut Metrics) {
    let (head, value) = line.rsplit_once(' ').expect(line);
    let value: f64 = value.parse().expect(line);
    let (name, labels) = match head.split_once('{') {
        Some((name, rest)) => (name, labels(rest.strip_suffix('}').expect(line))),
        None => (head, Labels::new()),
    };
    let suffix = name.strip_prefix(&family.name).expect("a sample belongs to the family before it");
    let only_rises = match (family.kind.as_str(), suffix) {
        ("counter", "_total") | ("histogram", "_bucket" | "_count" | "_sum") => true,
        ("gauge" | "stateset", "") | ("info", "_info") => false,
        _ => panic!("a {} has no such sample: {line}", family.kind),
    };
    assert!(!only_rises || (value.is_finite() && value >= 0.0), "{line}");
    assert!(family.kind != "stateset" || (labels.contains_key(&family.name) && [0.0, 1.0].contains(&value)), "{line}");
    let others = text_of(labels.iter().filter(|(name, _)| *name != "le"));
    if suffix == "_bucket" {
        let bound = match labels["le"].as_str() {
            "+Inf" => f64::INFINITY,
            bound => bound.parse().expect(line),
        };
        family.buckets.entry(others).or_default().push((bound, value));
    } else if suffix == "_count" {
        family.counts.insert(others, value);
    }
    let is_new = metrics.0.insert((name.to_owned(), text_of(labels.iter())), (value, only_rises)).is_none();
    assert!(is_new, "twice: {line}");
}

/// `a="1",b="2"` with escapes.
fn labels(text: &str) -> Labels {
    let mut labels = Labels::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (name, after) = rest.split_once("=\"").expect(text);
        assert!(
            name.starts_with(|c: char| c.is_ascii_alphabetic()) && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'),
            "{name}"
        );
        let (mut value, mut chars) = (String::new(), after.chars());
        loop {
            match chars.next().expect("a label's value ends") {
                '"' => break,
                '\\' => value.push(match chars.next().expect(text) {
                    'n' => '\n',
                    escaped @ ('\\' | '"') => escaped,
                    other => panic!("`\\{other}` is no escape"),
                }),
                plain => value.push(plain),
            }
        }
        assert!(labels.insert(name.to_owned(), value).is_none(), "`{name}` is there twice: {text}");
        rest = chars.as_str();
        rest = rest.strip_prefix(',').unwrap_or_else(|| {
            assert!(rest.is_empty(), "{text}");
            rest
        });
    }
    labels
}

fn text_of<'a>(labels: impl Iterator<Item = (&'a String, &'a String)>) -> String {
    labels.map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(",")
}

/// Buckets rise, in bounds and in counts, to one without a bound that has all.
fn finish(family: &Family) {
    assert_eq!(family.buckets.len(), family.counts.len(), "{}", family.name);
    for (labels, buckets) in &family.buckets {
        assert!(buckets.windows(2).all(|two| two[0].0 < two[1].0 && two[0].1 <= two[1].1), "{} {labels}: {buckets:?}", family.name);
        assert_eq!(buckets.last(), Some(&(f64::INFINITY, family.counts[labels])), "{} {labels}", family.name);
    }
}
