//! E-7: each notice is published once, again only if its task was retried, and at most once per
//! try.

use super::book::RecordBook;
use super::known::{NoticeKind, Rested};
use super::rule::{Judgement, each};
use super::words;
use crate::invariants::Rule;
use crate::strike::Handler;
use faults::Place;

pub(crate) fn never_more_than_four() -> Rule<RecordBook> {
    each("E-7", "each notice comes once, again only where its task was tried again, and at most once a try", rule)
}

fn rule(rested: &Rested) -> Judgement {
    let known = &rested.known;
    // The number of tries of a task is known when its execution has ended.
    if known.notices.is_empty() || known.is_under_way() {
        return Judgement::None;
    }
    let lent = rested.strikes.iter().filter(|struck| doubles(struck)).count();
    let too_often = NoticeKind::ALL.into_iter().find(|kind| known.noticed(*kind) > allowed(rested, *kind) + lent);
    Judgement::of(too_often.map(|kind| words::breach(rested, &format!("one notice `{}` a try of `{}`", kind.name(), kind.state()))))
}

/// One notice, or one per try of each execution.
fn allowed(rested: &Rested, kind: NoticeKind) -> usize {
    let tries = rested.known.executions.iter().filter_map(|execution| execution.ended.as_ref()?.tries.get(kind.state()).copied());
    (tries.sum::<u32>() as usize).max(1)
}

/// Whether a strike causes two notices of one try: the event is delivered twice, or SNS's answer is
/// lost and the SDK retries.
fn doubles(struck: &crate::Struck) -> bool {
    let of_sns = matches!(&struck.place, Place::Service { name, .. } if name == "sns") && struck.handler() == Handler::Unsure;
    of_sns || struck.action == faults::ActionName::HandTwice
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::Story;
    use super::*;
    use crate::invariants::fixtures::broken;

    #[test]
    fn a_notice_that_comes_too_often_breaks_the_rule() {
        let again = || Story::new(1).whole_but_end().archived(1.05);
        for (what, story, expected) in [
            ("whole", Story::new(1).whole(), (0, 1)),
            ("no notice", Story::new(1).started(0.7), (0, 0)),
            ("twice in one try", again().succeeded(1.3), (1, 1)),
            ("twice in two tries", again().tried("Archive", 2).succeeded(1.3), (0, 1)),
            ("thrice in two tries", again().archived(1.06).tried("Archive", 2).succeeded(1.3), (1, 1)),
            ("twice, and another task was tried twice", again().tried("Close", 2).succeeded(1.3), (1, 1)),
            ("tried twice and told once", Story::new(1).whole_but_end().tried("Archive", 2).succeeded(1.3), (0, 1)),
            ("the event came twice", again().struck(1.0, "hand-twice").succeeded(1.3), (0, 1)),
            ("its execution goes on", again(), (0, 0)),
        ] {
            assert_eq!(broken(never_more_than_four(), &story.events()), expected, "{what}");
        }
    }
}
