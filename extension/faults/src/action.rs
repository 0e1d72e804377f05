//! What happens to one invocation. A fault decides on the action; other code carries it out.

use std::time::Duration;

use crate::access::answer_fits;
use crate::edits::Edits;
use crate::outage::Outage;
use crate::pace::Pace;
use crate::pressure::Pressure;
use crate::trigger::Trigger;

/// Before the handler sees the event, or after it has answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Moment {
    /// The event is held back; no side effect has happened.
    Before,
    /// The answer is held back; the side effects have happened.
    After,
}

/// When the runtime's process is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Death {
    /// While the extension holds the event.
    Before,
    /// This time after the event was handed over, unless the handler has answered by then.
    Middle {
        /// The time.
        after: Duration,
    },
    /// While the extension holds the handler's answer; the platform does not get it.
    After,
}

/// Damage to the handler's answer. None of it can turn a denial into a grant: what is left is not JSON for any reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alteration {
    /// Only the first bytes are posted.
    Cut {
        /// How many.
        bytes: u64,
    },
    /// Some bytes, including the first one, become 0xFF, which is never part of UTF-8 text.
    Corrupt {
        /// How many at most.
        bytes: u64,
        /// What their places depend on.
        seed: u64,
    },
    /// Nothing is posted.
    Drop,
}

/// What to do with one invocation.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Pass everything on untouched.
    Pass,
    /// Hold the event (before) or the answer (after) for `time`.
    Wait {
        /// Which of the two is held.
        moment: Moment,
        /// For how long.
        time: Duration,
    },
    /// The handler never runs; an error is posted instead.
    Refuse {
        /// Lambda's `errorType`.
        error_type: String,
        /// Lambda's `errorMessage`.
        message: String,
    },
    /// The handler runs; its answer is discarded and an error is posted instead (a lost
    /// acknowledgement).
    LoseAnswer {
        /// Lambda's `errorType`.
        error_type: String,
        /// Lambda's `errorMessage`.
        message: String,
    },
    /// The handler runs; this body is posted in place of its answer.
    Replace {
        /// The bytes to post.
        body: String,
        /// Whether it is a refusal for every trigger; otherwise see [`Action::depends_on_event`].
        anywhere: bool,
    },
    /// The handler runs; its answer is damaged.
    Alter(Alteration),
    /// The answer's bytes are passed on at this pace.
    Stream(Pace),
    /// The handler's first answer is discarded, the event is delivered again, and the second answer
    /// is passed on.
    HandTwice,
    /// The event is edited before it is handed over.
    EditEvent(Edits),
    /// The event is held until this share of the time to the deadline has passed; 1 and more is a timeout.
    HoldOfDeadline {
        /// Share of the time left when the event arrived.
        share: f64,
    },
    /// The runtime's process is killed.
    Kill(Death),
    /// The runtime's first `next` is held for `time`. Of an environment, not of an invocation.
    SlowStart {
        /// For how long.
        time: Duration,
    },
    /// An init error is posted in the runtime's name and its process killed. Of an environment, not of an invocation.
    FailStart {
        /// Lambda's `errorType`.
        error_type: String,
        /// Lambda's `errorMessage`.
        message: String,
    },
    /// CPU, memory and disk are used up while the handler runs.
    Pressure(Pressure),
    /// The function's calls to a host fail or are slow while the handler runs.
    Disturb(Outage),
}

/// No action has this name.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no action `{0}`")]
pub struct UnknownAction(String);

macro_rules! names {
    ($($name:ident: $text:literal,)+) => {
        /// What an action is called in the ledger.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
        pub enum ActionName {
            $(#[doc = concat!("`", $text, "`")] #[serde(rename = $text)] $name,)+
        }

        impl ActionName {
            /// As the ledger has it.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)+
                }
            }
        }

        impl std::str::FromStr for ActionName {
            type Err = UnknownAction;

            fn from_str(text: &str) -> Result<Self, UnknownAction> {
                match text {
                    $($text => Ok(Self::$name),)+
                    _ => Err(UnknownAction(text.to_owned())),
                }
            }
        }
    };
}

names! {
    Pass: "pass",
    WaitBefore: "wait-before",
    WaitAfter: "wait-after",
    Refuse: "refuse",
    LoseAnswer: "lose-answer",
    Replace: "replace",
    Cut: "cut",
    Corrupt: "corrupt",
    Drop: "drop",
    Stream: "stream",
    HandTwice: "hand-twice",
    EditEvent: "edit-event",
    HoldOfDeadline: "hold-of-deadline",
    KillBefore: "kill-before",
    KillMiddle: "kill-middle",
    KillAfter: "kill-after",
    SlowStart: "slow-start",
    FailStart: "fail-start",
    Press: "press",
    Disturb: "disturb",
}

impl std::fmt::Display for ActionName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Action {
    /// Its name in the ledger.
    pub const fn name(&self) -> ActionName {
        match self {
            Self::Pass => ActionName::Pass,
            Self::Wait { moment: Moment::Before, .. } => ActionName::WaitBefore,
            Self::Wait { moment: Moment::After, .. } => ActionName::WaitAfter,
            Self::Refuse { .. } => ActionName::Refuse,
            Self::LoseAnswer { .. } => ActionName::LoseAnswer,
            Self::Replace { .. } => ActionName::Replace,
            Self::Alter(Alteration::Cut { .. }) => ActionName::Cut,
            Self::Alter(Alteration::Corrupt { .. }) => ActionName::Corrupt,
            Self::Alter(Alteration::Drop) => ActionName::Drop,
            Self::Stream(_) => ActionName::Stream,
            Self::HandTwice => ActionName::HandTwice,
            Self::EditEvent(_) => ActionName::EditEvent,
            Self::HoldOfDeadline { .. } => ActionName::HoldOfDeadline,
            Self::Kill(Death::Before) => ActionName::KillBefore,
            Self::Kill(Death::Middle { .. }) => ActionName::KillMiddle,
            Self::Kill(Death::After) => ActionName::KillAfter,
            Self::SlowStart { .. } => ActionName::SlowStart,
            Self::FailStart { .. } => ActionName::FailStart,
            Self::Pressure(_) => ActionName::Press,
            Self::Disturb(_) => ActionName::Disturb,
        }
    }

    /// Whether the event must show what invoked the function before it may be carried out; see
    /// [`Action::fits`].
    pub const fn depends_on_event(&self) -> bool {
        matches!(self, Self::Replace { anywhere: false, .. })
    }

    /// Whether it may be carried out on an invocation with this event. An edit checks this itself,
    /// because it changes the event.
    pub fn fits(&self, event: &[u8]) -> bool {
        match self {
            Self::Replace { anywhere: false, body } => Trigger::told_by(event).is_some_and(|trigger| answer_fits(body, trigger)),
            _ => true,
        }
    }

    /// Whether it prevents the handler from seeing the event.
    pub const fn keeps_handler_from_running(&self) -> bool {
        matches!(self, Self::Refuse { .. } | Self::Kill(Death::Before))
    }

    /// Whether part of it is done only when the handler answers; until then its line cannot be
    /// written.
    pub const fn acts_on_the_answer(&self) -> bool {
        match self {
            Self::Wait { moment: Moment::After, .. }
            | Self::LoseAnswer { .. }
            | Self::Replace { .. }
            | Self::Alter(_)
            | Self::Stream(_)
            | Self::HandTwice
            | Self::EditEvent(_)
            | Self::Kill(Death::Middle { .. } | Death::After)
            | Self::Pressure(_)
            | Self::Disturb(_) => true,
            Self::Pass
            | Self::Wait { moment: Moment::Before, .. }
            | Self::Refuse { .. }
            | Self::HoldOfDeadline { .. }
            | Self::Kill(Death::Before)
            | Self::SlowStart { .. }
            | Self::FailStart { .. } => false,
        }
    }
}
