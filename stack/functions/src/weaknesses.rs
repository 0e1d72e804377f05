//! Known bugs of the functions' first published versions, each with a name, so that a test can show
//! that the harness finds it. A name that is not in a function's own list is refused, never
//! ignored.

use std::collections::BTreeSet;

/// A closed list of names.
pub trait Weakness: Copy + Ord + 'static {
    /// All weaknesses, each with its name in `WEAKNESSES`.
    const ALL: &'static [(&'static str, Self)];
}

/// `WEAKNESSES` contains an unknown name.
#[derive(Debug, PartialEq, Eq)]
pub struct UnknownWeakness {
    /// The unknown name and the known ones.
    pub message: String,
}

/// The weaknesses that are switched on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Weaknesses<W>(BTreeSet<W>);

impl<W: Weakness> Weaknesses<W> {
    /// No weakness: the hardened form.
    pub fn none() -> Self {
        Self(BTreeSet::new())
    }

    /// Whether `weakness` is switched on.
    pub fn has(&self, weakness: W) -> bool {
        self.0.contains(&weakness)
    }

    /// Reads names separated by commas; an empty text has no names.
    ///
    /// # Errors
    /// If a name is not one of `W`'s.
    pub fn parse(text: &str) -> Result<Self, UnknownWeakness> {
        let names = text.split(',').map(str::trim).filter(|name| !name.is_empty());
        names.map(find).collect::<Result<_, _>>().map(Self)
    }
}

fn find<W: Weakness>(name: &str) -> Result<W, UnknownWeakness> {
    W::ALL.iter().find(|(known, _)| *known == name).map(|(_, weakness)| *weakness).ok_or_else(|| {
        let known: Vec<&str> = W::ALL.iter().map(|(known, _)| *known).collect();
        UnknownWeakness { message: format!("`{name}` is not a weakness of this function; there are: {}", known.join(", ")) }
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
    pub(crate) enum Sloth {
        Late,
        Never,
    }

    impl Weakness for Sloth {
        const ALL: &'static [(&'static str, Self)] = &[("late", Self::Late), ("never", Self::Never)];
    }

    #[test]
    fn empty_is_hardened_and_several_names_are_accepted() {
        assert_eq!(Weaknesses::<Sloth>::parse(""), Ok(Weaknesses::none()));
        let one = Weaknesses::parse(" late ,").expect("it is known");
        assert!(one.has(Sloth::Late) && !one.has(Sloth::Never));
        assert!(Weaknesses::parse("never,late").is_ok_and(|both| both.has(Sloth::Late) && both.has(Sloth::Never)));
    }

    #[test]
    fn a_name_of_another_function_is_refused() {
        for name in ["keys-fetched-once", "Late"] {
            assert!(Weaknesses::<Sloth>::parse(name).is_err(), "{name}");
        }
    }
}
