//! The mark of what a run makes in FIS and Systems Manager for itself alone: an experiment template,
//! a version of the document. It says whose it is and when no run needs it any more.

/// The tag that names the run.
pub const RUN_TAG: &str = "brownout-run";
/// The tag with the end of its time, in seconds since 1970.
pub const UNTIL_TAG: &str = "brownout-until";

/// Whose something is, and until when it may be needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// The run.
    pub run: String,
    /// The end of its time, in seconds since 1970.
    pub until: u64,
}

impl Mark {
    /// The tags, in the order of their names.
    pub fn tags(&self) -> [(&'static str, String); 2] {
        [(RUN_TAG, self.run.clone()), (UNTIL_TAG, self.until.to_string())]
    }

    /// The mark in tags; `None` if a run did not make what carries them.
    pub fn in_tags<'a>(tag: impl Fn(&str) -> Option<&'a str>) -> Option<Self> {
        Some(Self { run: tag(RUN_TAG)?.to_owned(), until: tag(UNTIL_TAG)?.parse().ok()? })
    }

    /// The name of a version of a document: versions have no tags.
    pub fn version_name(&self) -> String {
        format!("brownout-run.{}.{}", self.until, self.run)
    }

    /// The mark in the name of a version; `None` if a run did not make it.
    pub fn in_version_name(name: &str) -> Option<Self> {
        let (until, run) = name.strip_prefix("brownout-run.")?.split_once('.')?;
        Some(Self { run: run.to_owned(), until: until.parse().ok()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_read_back_and_nothing_else_is_taken_for_one() {
        let mark = Mark { run: "2026.01-a".into(), until: 7 };
        assert_eq!(Mark::in_version_name(&mark.version_name()), Some(mark.clone()));
        let tags = mark.tags();
        let of = |wanted: &str| tags.iter().find(|(name, _)| *name == wanted).map(|(_, value)| value.as_str());
        assert_eq!(Mark::in_tags(of), Some(mark));
        for name in ["brownout-0123456789abcdef", "brownout-run.x.r", "brownout-run.7", "7.r", ""] {
            assert_eq!(Mark::in_version_name(name), None, "{name}");
        }
        assert_eq!(Mark::in_tags(|name| (name == RUN_TAG).then_some("r")), None);
        assert_eq!(Mark::in_tags(|_| Some("r")), None);
    }
}
