//! Topic names and filters, and which topics belong to the shadows.

/// The longest topic or filter, in bytes. Source: AWS IoT Core quotas, as in AWS's own device clients.
const LONGEST: usize = 256;

/// The most levels of a topic or filter: seven slashes. Source: AWS IoT Core quotas.
const MOST_LEVELS: usize = 8;

/// Whether a message on `topic` goes to a subscriber of `filter`. A filter that begins with a
/// wildcard does not match `$` topics. Source: MQTT 3.1.1, section 4.7.
pub fn matches(filter: &str, topic: &str) -> bool {
    if topic.starts_with('$') && filter.starts_with(['+', '#']) {
        return false;
    }
    let (mut wanted, mut levels) = (filter.split('/'), topic.split('/'));
    loop {
        match (wanted.next(), levels.next()) {
            (Some("#"), _) | (None, None) => return true,
            (Some("+"), Some(_)) => {}
            (Some(one), Some(level)) if one == level => {}
            _ => return false,
        }
    }
}

/// Whether `filter` may be subscribed to: a wildcard must be a whole level, `#` only the last.
pub fn is_filter(filter: &str) -> bool {
    let levels: Vec<_> = filter.split('/').collect();
    let last = levels.len().saturating_sub(1);
    (1..=LONGEST).contains(&filter.len())
        && levels.len() <= MOST_LEVELS
        && levels.iter().enumerate().all(|(n, level)| match *level {
            "#" => n == last,
            "+" => true,
            level => !level.contains(['+', '#', '\0']),
        })
}

/// Whether `topic` may be published to.
pub fn is_topic(topic: &str) -> bool {
    (1..=LONGEST).contains(&topic.len()) && topic.split('/').count() <= MOST_LEVELS && !topic.contains(['+', '#', '\0'])
}

/// A device's operation on its shadow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShadowCall {
    /// The document.
    Get,
    /// A change.
    Update,
    /// Its end.
    Delete,
}

impl ShadowCall {
    /// Its name in the topic.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }
}

/// What a topic belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target<'a> {
    /// Messages between clients.
    Clients,
    /// A call on the shadow of this thing.
    Shadow(&'a str, ShadowCall),
    /// Reserved: only the service itself may publish there.
    Reserved,
}

/// What `topic` belongs to.
pub fn target(topic: &str) -> Target<'_> {
    if !topic.starts_with('$') {
        return Target::Clients;
    }
    let Some((thing, what)) = topic.strip_prefix("$aws/things/").and_then(|rest| rest.split_once("/shadow/")) else {
        return Target::Reserved;
    };
    let call = match what {
        "get" => ShadowCall::Get,
        "update" => ShadowCall::Update,
        "delete" => ShadowCall::Delete,
        _ => return Target::Reserved,
    };
    if is_thing(thing) { Target::Shadow(thing, call) } else { Target::Reserved }
}

/// Whether a thing can have this name. Source: AWS IoT API reference, `thingName`.
pub fn is_thing(name: &str) -> bool {
    (1..=128).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b":_-".contains(&b))
}

/// A topic of a shadow.
pub fn shadow_topic(thing: &str, what: &str) -> String {
    format!("$aws/things/{thing}/shadow/{what}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_match_as_the_standard_says() {
        for (filter, topic, does) in [
            ("a/b", "a/b", true),
            ("a/b", "a/b/c", false),
            ("a/+", "a/b", true),
            ("a/+", "a", false),
            ("a/+", "a/", true),
            ("a/#", "a", true),
            ("a/#", "a/b/c", true),
            ("#", "a/b", true),
            ("#", "$aws/things/T/shadow/get", false),
            ("+/things/T/shadow/get", "$aws/things/T/shadow/get", false),
            ("$aws/things/+/shadow/#", "$aws/things/T/shadow/get/accepted", true),
            ("$aws/#", "$aws/things/T/shadow/get", true),
        ] {
            assert_eq!(matches(filter, topic), does, "{filter} {topic}");
        }
    }

    #[test]
    fn a_wildcard_is_a_whole_level() {
        for (filter, is) in [("a/+/b", true), ("a/#", true), ("#", true), ("a#", false), ("a/#/b", false), ("a+/b", false), ("", false)] {
            assert_eq!(is_filter(filter), is, "{filter}");
        }
    }

    #[test]
    fn only_the_service_publishes_to_reserved_topics() {
        for (topic, whose) in [
            ("home/1", Target::Clients),
            ("$aws/things/T/shadow/get", Target::Shadow("T", ShadowCall::Get)),
            ("$aws/things/T/shadow/update", Target::Shadow("T", ShadowCall::Update)),
            ("$aws/things/T/shadow/update/accepted", Target::Reserved),
            ("$aws/things//shadow/get", Target::Reserved),
            ("$aws/things/a/b/shadow/get", Target::Reserved),
            ("$SYS/x", Target::Reserved),
        ] {
            assert_eq!(target(topic), whose, "{topic}");
        }
    }
}
