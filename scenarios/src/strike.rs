//! A fault that struck work for which no request waits: an invocation by a queue, by a stream or by a pool, or a call made in one.
//! What can have become of the handler decides what the fault may excuse.

use std::time::Duration;

use faults::{ActionName, Place};

/// One strike, as a ledger tells it: a line for each struck invocation and each struck call, retries included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Struck {
    /// The id of the queue's message that was being processed; `None` where the ledger cannot tell, or where it was no queue's.
    pub message: Option<String>,
    /// The fault's name.
    pub fault: String,
    /// Where it struck.
    pub place: Place,
    /// What was done.
    pub action: ActionName,
    /// When the ledger was read.
    pub at: Duration,
}

/// What can have become of the handler.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Handler {
    /// It never saw the event: nothing was done.
    NotRun,
    /// It ran to its end, and only its acknowledgement was lost or late.
    Whole,
    /// It ran to its end, and another answer was taken for its own: a failure may have been taken for a success.
    Replaced,
    /// It was given something else to do than it should have been.
    Misled,
    /// It may have ended between any two of its effects, or not know of one whether it was done.
    Unsure,
}

impl Struck {
    /// What can have become of the handler. Of a call in it, it is not known what the handler made of the answer.
    pub fn handler(&self) -> Handler {
        if matches!(self.place, Place::Service { .. }) {
            return Handler::Unsure;
        }
        match self.action {
            ActionName::Refuse | ActionName::KillBefore | ActionName::FailStart => Handler::NotRun,
            ActionName::LoseAnswer | ActionName::Drop | ActionName::HandTwice | ActionName::KillAfter | ActionName::WaitAfter => {
                Handler::Whole
            }
            ActionName::Replace | ActionName::Cut | ActionName::Corrupt | ActionName::Stream => Handler::Replaced,
            ActionName::EditEvent => Handler::Misled,
            ActionName::Pass
            | ActionName::WaitBefore
            | ActionName::HoldOfDeadline
            | ActionName::KillMiddle
            | ActionName::SlowStart
            | ActionName::Press
            | ActionName::Disturb => Handler::Unsure,
        }
    }

    /// Whether it struck `function`, or one of the services that it calls.
    pub fn concerns(&self, function: &str, services: &[&str]) -> bool {
        match &self.place {
            Place::Function(name) => name == function,
            Place::Service { name, .. } => services.contains(&name.as_str()),
        }
    }
}

impl std::fmt::Display for Struck {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "`{}` ({}) at {}", self.fault, self.action, self.place)
    }
}

#[cfg(test)]
mod tests {
    use faults::kinds::stream::Pace;
    use faults::{Action, Alteration, Death, Moment};

    use super::*;

    fn struck(place: Place, action: ActionName) -> Struck {
        Struck { message: None, fault: "f".into(), place, action, at: Duration::ZERO }
    }

    #[test]
    fn what_can_have_become_of_the_handler_follows_from_the_action() {
        let (time, error) = (Duration::ZERO, || ("E".to_owned(), "m".to_owned()));
        let refuse = |(error_type, message)| Action::Refuse { error_type, message };
        let lose = |(error_type, message)| Action::LoseAnswer { error_type, message };
        for (action, expected) in [
            (refuse(error()), Handler::NotRun),
            (Action::Kill(Death::Before), Handler::NotRun),
            (lose(error()), Handler::Whole),
            (Action::Alter(Alteration::Drop), Handler::Whole),
            (Action::Stream(Pace::default()), Handler::Replaced),
            (Action::HandTwice, Handler::Whole),
            (Action::Kill(Death::After), Handler::Whole),
            (Action::Wait { moment: Moment::After, time }, Handler::Whole),
            (Action::Replace { body: String::new(), anywhere: true }, Handler::Replaced),
            (Action::Alter(Alteration::Cut { bytes: 1 }), Handler::Replaced),
            (Action::Alter(Alteration::Corrupt { bytes: 1, seed: 1 }), Handler::Replaced),
            (Action::Kill(Death::Middle { after: time }), Handler::Unsure),
            (Action::Wait { moment: Moment::Before, time }, Handler::Unsure),
            (Action::HoldOfDeadline { share: 1.0 }, Handler::Unsure),
            (Action::SlowStart { time }, Handler::Unsure),
        ] {
            assert_eq!(struck(Place::Function("email-processor".into()), action.name()).handler(), expected, "{action:?}");
            let service = Place::Service { name: "ses".into(), operation: None };
            assert_eq!(struck(service, action.name()).handler(), Handler::Unsure, "{action:?}");
        }
    }

    #[test]
    fn a_strike_concerns_a_function_and_the_services_it_calls() {
        let function = |name: &str| struck(Place::Function(name.into()), ActionName::Refuse);
        let service = |name: &str| struck(Place::Service { name: name.into(), operation: Some("X".into()) }, ActionName::Refuse);
        let concerns = |one: Struck| one.concerns("email-processor", &["ses", "s3"]);
        assert!(concerns(function("email-processor")) && concerns(service("ses")));
        assert!(!concerns(function("authorizer")) && !concerns(service("iotdata")));
    }
}
