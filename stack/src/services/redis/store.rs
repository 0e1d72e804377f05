//! The values: each under its key, some with an expiry, all together within a limit. What happens
//! to a key is reported while no other client can access it.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;

use run_folder::sightings::{Seen, Sightings};

/// What a value costs besides its key, which is stored twice, and its own bytes.
const AROUND: usize = 128;

/// The condition for setting a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Only {
    /// Always.
    Always,
    /// `NX`: only if the key does not exist.
    New,
    /// `XX`: only if the key exists.
    Existing,
}

/// The limit is reached; nothing was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full;

/// The remaining life of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    /// The key does not exist.
    None,
    /// It has no expiry.
    Endless,
    /// For this long.
    Left(Duration),
}

struct Held {
    value: Bytes,
    until: Option<Instant>,
}

#[derive(Default)]
struct Contents {
    by_key: HashMap<Bytes, Held>,
    /// The values with an expiry, in order of expiry.
    ends: BTreeSet<(Instant, Bytes)>,
    bytes: usize,
}

/// All values.
pub struct Store {
    contents: Mutex<Contents>,
    most: usize,
    sightings: Sightings,
}

impl Store {
    /// An empty store for at most `most` bytes.
    pub fn new(most: usize, sightings: Sightings) -> Self {
        Self { contents: Mutex::default(), most, sightings }
    }

    /// Sets a value, for `life` or forever; returns whether it was set.
    ///
    /// # Errors
    /// If there is no room.
    pub fn set(&self, key: &[u8], value: &[u8], only: Only, life: Option<Duration>, now: Instant) -> Result<bool, Full> {
        let mut contents = self.at(now);
        let there = contents.by_key.get(key).map(|held| size(key, &held.value));
        match only {
            Only::New if there.is_some() => return Ok(false),
            Only::Existing if there.is_none() => return Ok(false),
            _ => {}
        }
        if contents.bytes - there.unwrap_or_default() + size(key, value) > self.most {
            return Err(Full);
        }
        contents.remove(key);
        // Copied once, so that the counted size is the size in memory: a received value shares a
        // larger buffer.
        let (key, value) = (Bytes::copy_from_slice(key), Bytes::copy_from_slice(value));
        self.sightings.tell(Seen::CacheSet { key: text(&key), size: value.len() as u64 });
        let until = life.and_then(|life| now.checked_add(life));
        contents.bytes += size(&key, &value);
        contents.ends.extend(until.map(|until| (until, key.clone())));
        contents.by_key.insert(key, Held { value, until });
        Ok(true)
    }

    /// A value, shared.
    pub fn get(&self, key: &[u8], now: Instant) -> Option<Bytes> {
        self.at(now).by_key.get(key).map(|held| held.value.clone())
    }

    /// Deletes a value; returns whether it existed.
    pub fn delete(&self, key: &[u8], now: Instant) -> bool {
        let mut contents = self.at(now);
        let there = contents.remove(key);
        if there {
            self.sightings.tell(Seen::CacheDeleted { key: text(key) });
        }
        there
    }

    /// Gives a value `life` from now on; returns whether it existed.
    pub fn expire(&self, key: &[u8], life: Duration, now: Instant) -> bool {
        let mut contents = self.at(now);
        let until = now.checked_add(life);
        let Some((key, before)) = contents.by_key.get_key_value(key).map(|(key, held)| (key.clone(), held.until)) else { return false };
        if let Some(before) = before {
            contents.ends.remove(&(before, key.clone()));
        }
        contents.ends.extend(until.map(|until| (until, key.clone())));
        if let Some(held) = contents.by_key.get_mut(&key) {
            held.until = until;
        }
        true
    }

    /// The remaining life of a value.
    pub fn life(&self, key: &[u8], now: Instant) -> Life {
        match self.at(now).by_key.get(key) {
            None => Life::None,
            Some(Held { until: None, .. }) => Life::Endless,
            Some(Held { until: Some(until), .. }) => Life::Left(until.saturating_duration_since(now)),
        }
    }

    /// Removes what has expired by `now`.
    pub fn sweep(&self, now: Instant) {
        drop(self.at(now));
    }

    /// How many values there are, and how many bytes they hold.
    pub fn size(&self) -> (usize, usize) {
        let contents = self.contents();
        (contents.by_key.len(), contents.bytes)
    }

    /// The contents at `now`: without expired values.
    fn at(&self, now: Instant) -> MutexGuard<'_, Contents> {
        let mut contents = self.contents();
        while contents.ends.first().is_some_and(|(until, _)| *until <= now) {
            let Some((_, key)) = contents.ends.pop_first() else { break };
            contents.remove(&key);
            self.sightings.tell(Seen::CacheExpired { key: text(&key) });
        }
        contents
    }

    fn contents(&self) -> MutexGuard<'_, Contents> {
        self.contents.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Contents {
    fn remove(&mut self, key: &[u8]) -> bool {
        let Some((key, held)) = self.by_key.remove_entry(key) else { return false };
        self.bytes -= size(&key, &held.value);
        if let Some(until) = held.until {
            self.ends.remove(&(until, key));
        }
        true
    }
}

fn size(key: &[u8], value: &[u8]) -> usize {
    2 * key.len() + value.len() + AROUND
}

fn text(key: &[u8]) -> String {
    String::from_utf8_lossy(key).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_value_expires_after_its_life_and_every_change_is_reported() {
        let (sightings, mut seen) = Sightings::channel();
        let (store, begin) = (Store::new(10_000, sightings), Instant::now());
        assert_eq!(store.set(b"a", b"1", Only::Always, Some(SECOND * 10), begin), Ok(true));
        assert_eq!(store.life(b"a", begin + SECOND), Life::Left(SECOND * 9));
        assert!(store.expire(b"a", SECOND * 3, begin + SECOND) && !store.expire(b"b", SECOND, begin));
        assert_eq!(store.get(b"a", begin + SECOND * 3), Some(Bytes::from_static(b"1")));
        assert_eq!((store.get(b"a", begin + SECOND * 4), store.life(b"a", begin + SECOND * 4)), (None, Life::None));
        // Set again without a life it stays, and the old life is forgotten.
        store.set(b"a", b"2", Only::Always, Some(SECOND), begin).unwrap();
        store.set(b"a", b"3", Only::Always, None, begin).unwrap();
        assert_eq!(store.life(b"a", begin + SECOND * 1000), Life::Endless);
        assert!(store.delete(b"a", begin) && !store.delete(b"a", begin));
        assert_eq!(store.size(), (0, 0));
        let told: Vec<_> = std::iter::from_fn(|| seen.try_recv().ok()).map(|sighting| sighting.seen).collect();
        let set = Seen::CacheSet { key: "a".into(), size: 1 };
        let (expired, deleted) = (Seen::CacheExpired { key: "a".into() }, Seen::CacheDeleted { key: "a".into() });
        assert_eq!(told, [set.clone(), expired, set.clone(), set, deleted]);
    }

    #[test]
    fn new_and_existing_are_distinguished() {
        let (store, now) = (Store::new(10_000, Sightings::nowhere()), Instant::now());
        for (only, set, value) in
            [(Only::Existing, false, None), (Only::New, true, Some("1")), (Only::New, false, Some("1")), (Only::Existing, true, Some("3"))]
        {
            let new = if only == Only::New { "1" } else { "3" };
            assert_eq!(store.set(b"k", new.as_bytes(), only, None, now), Ok(set), "{only:?}");
            assert_eq!(store.get(b"k", now).as_deref(), value.map(str::as_bytes), "{only:?}");
        }
    }

    #[test]
    fn what_does_not_fit_changes_nothing() {
        let (store, now) = (Store::new(2 * (AROUND + 102), Sightings::nowhere()), Instant::now());
        let value = [0; 100];
        assert_eq!(store.set(b"a", &value, Only::Always, None, now), Ok(true));
        assert_eq!(store.set(b"b", &value, Only::Always, None, now), Ok(true));
        assert_eq!(store.set(b"c", b"", Only::Always, None, now), Err(Full));
        assert_eq!(store.set(b"a", &[1; 101], Only::Always, None, now), Err(Full));
        assert_eq!(store.get(b"a", now).as_deref(), Some(&value[..]));
        // A replaced value makes room.
        assert_eq!(store.set(b"a", &[1; 100], Only::Always, None, now), Ok(true));
        assert_eq!(store.size(), (2, 2 * (AROUND + 102)));
    }
}
