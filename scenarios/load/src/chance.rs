//! Chance that can be repeated: numbers from a seed and the place where they are drawn, never from order or clock.

/// A stream of numbers (splitmix64; Steele, Lea, Flood 2014), keyed by any list of numbers.
#[derive(Debug, Clone, Copy)]
pub struct Chance(u64);

impl Chance {
    /// The stream of `keys`.
    pub fn new(keys: &[u64]) -> Self {
        Self(keys.iter().fold(0x9e37_79b9_7f4a_7c15, |state, key| mix(state ^ mix(key.wrapping_add(0x9e37_79b9_7f4a_7c15)))))
    }

    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// The next number below `bound`; 0 for a bound of 0. The bias of the remainder is below 1e-16 for the bounds used here.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.number().checked_rem(bound).unwrap_or(0)
    }

    /// The next number of the interval [0, 1).
    pub fn unit(&mut self) -> f64 {
        (self.number() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// `length` bytes that nobody can compress.
    pub fn bytes(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(length + 8);
        while bytes.len() < length {
            bytes.extend_from_slice(&self.number().to_le_bytes());
        }
        bytes.truncate(length);
        bytes
    }
}

/// The same root with the time `seconds` since 1970 where X-Ray has it, for a request whose time somebody reads there. Who is struck
/// does not depend on that part.
pub fn stamped(root: &str, seconds: u64) -> String {
    let own = root.rsplit('-').next().unwrap_or_default();
    format!("1-{:08x}-{own}", seconds as u32)
}

fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

/// The root of the trace id of one request: `1-<8 hex>-<24 hex>`. The first 8 hex stand for the seed, where X-Ray has the
/// time, so that the same seed gives the same roots on any day; the rest for system, arrival and step.
pub fn trace_root(seed: u64, system: u64, arrival: u64, step: u64) -> String {
    let run = Chance::new(&[seed]).number() as u32;
    let mut chance = Chance::new(&[seed, system, arrival, step]);
    format!("1-{run:08x}-{:016x}{:08x}", chance.number(), chance.number() as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roots_are_well_formed_repeatable_and_never_shared() {
        let root = trace_root(7, 0, 1, 2);
        assert_eq!(faults::trace_root(&format!("Root={root}")), Some(root.as_str()));
        assert_eq!(root.len(), "1-00000000-000000000000000000000000".len());
        assert_eq!(root, trace_root(7, 0, 1, 2));
        assert_ne!(root.get(..10), trace_root(8, 0, 1, 2).get(..10));
        assert_eq!(stamped("1-00000000-bd862e3fe1be46a994272793", 0x5759_e988), "1-5759e988-bd862e3fe1be46a994272793");
        let all: std::collections::HashSet<String> = (0..2)
            .flat_map(|system| (0..5_000).flat_map(move |arrival| (0..4).map(move |step| trace_root(7, system, arrival, step))))
            .collect();
        assert_eq!(all.len(), 40_000);
    }
}
