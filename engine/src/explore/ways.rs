//! The ways in which a place is hurt: one table, from which the matrix, the cases and the experiments
//! are made. Which of them can happen to an invocation depends on what invokes the function.

use std::time::Duration;

use faults::kinds::again::Again;
use faults::kinds::error::Failure;
use faults::kinds::kill::{Kill, When};
use faults::kinds::latency::{Jitter, Latency};
use faults::kinds::timeout::Hold;
use faults::{Kind, Moment, Trigger};
use serde::{Deserialize, Serialize};

use super::place::Spot;

/// A longer wait is not tried: it would take most of an exploration's time.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// The part of a function's timeout that a delay within it takes.
const WITHIN: f64 = 0.8;

/// A delay of a call, unless the function's timeout is so short that it would end the invocation.
const SLOW_CALL: Duration = Duration::from_secs(1);

/// How much longer than a function's timeout a call hangs.
const BEYOND: Duration = Duration::from_secs(1);

/// How many calls in a row fail while a service is out: more than any SDK tries by itself.
const OUTAGE: u32 = 40;

/// How many calls in a row are throttled: SDKs try three times at least.
const THROTTLED: u32 = 2;

const MESSAGE: &str = "injected by brownout";

macro_rules! ways {
    ($($(#[doc = $doc:literal])+ $name:ident: $letter:literal, $title:literal;)+) => {
        /// A way to hurt a place, most promising first.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum Way {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Way {
            /// All of them.
            pub const ALL: [Self; [$($letter),+].len()] = [$(Self::$name),+];

            /// Its letter in the matrix.
            pub const fn letter(self) -> char {
                match self { $(Self::$name => $letter,)+ }
            }

            /// Its name.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)+ }
            }

            /// What it is, in a sentence.
            pub fn about(self) -> &'static str {
                match self { $(Self::$name => concat!($($doc),+).trim_ascii(),)+ }
            }
        }
    };
}

ways! {
    /// The work is done, and the caller gets an error: the function's first answer, or a call's, is lost.
    LostAnswer: 'L', "lost answer";
    /// The event is delivered twice, as its trigger may do.
    Duplicate: 'D', "duplicate";
    /// An error once, before any work is done; an SDK tries the call again.
    Error: 'E', "error";
    /// Every call from this one on fails until the function ends, so that the SDK gives up.
    Outage: 'O', "outage";
    /// The call is refused in a way that no SDK tries again (access denied).
    Denied: 'X', "denied";
    /// Slower, but within the function's timeout.
    Slow: 'S', "slow";
    /// The invocation runs into its timeout, or the call takes longer than the function may.
    Timeout: 'T', "timeout";
    /// The process dies after the work, before the platform has the answer.
    KilledAfter: 'A', "killed after";
    /// The process dies between the function's last call and its answer.
    KilledWithin: 'M', "killed within";
    /// The process dies before the function sees the event.
    KilledBefore: 'B', "killed before";
    /// Two calls in a row are throttled.
    Throttled: 'H', "throttled";
}

/// What is known of a place beyond its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    /// What invokes its function.
    pub triggers: Vec<Trigger>,
    /// The timeout of its function.
    pub timeout: Duration,
    /// The time from the delivery until halfway between the function's last call and its answer, if
    /// it makes a call.
    pub within: Option<Duration>,
}

/// How a place is hurt in some way.
#[derive(Debug, Clone, PartialEq)]
pub struct Hurt {
    /// The fault.
    pub kind: Kind,
    /// How many deliveries or calls in a row it strikes.
    pub times: u32,
}

/// Why a place cannot be hurt in some way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unhurt {
    /// It does not happen at such a place.
    Impossible(&'static str),
    /// It could happen, and is not tried.
    NotTried(&'static str),
}

const CALLS_ONLY: Unhurt = Unhurt::Impossible("it happens to calls only");
const INVOCATIONS_ONLY: Unhurt = Unhurt::Impossible("it happens to invocations only");
const TOO_LONG: Unhurt = Unhurt::NotTried("the function's timeout is longer than 30 s");

impl Way {
    /// What it does to a place.
    ///
    /// # Errors
    /// Why it is not done there.
    pub fn hurt(self, spot: &Spot, site: &Site) -> Result<Hurt, Unhurt> {
        match spot {
            Spot::Invocation { .. } => self.hurt_invocation(site).map(|kind| (kind, 1)),
            Spot::Call { service, .. } => self.hurt_call(service, site),
        }
        .map(|(kind, times)| Hurt { kind, times })
    }

    fn hurt_invocation(self, site: &Site) -> Result<Kind, Unhurt> {
        let kill = |at| Ok(Kind::Kill(Kill { at }));
        let kind = match self {
            Self::Error => failure("Brownout.InjectedError", false),
            Self::LostAnswer => failure("Brownout.InjectedError", true),
            Self::Duplicate if site.triggers.iter().all(|trigger| delivers_again(*trigger)) => Kind::Again(Again {}),
            Self::Duplicate => return Err(Unhurt::Impossible("what invokes it delivers an event once")),
            Self::Slow | Self::Timeout if site.timeout > LONGEST_WAIT => return Err(TOO_LONG),
            Self::Slow => wait(Moment::Before, site.timeout.mul_f64(WITHIN)),
            Self::Timeout => Kind::Timeout(Hold { share_of_deadline: 1.0 }),
            Self::KilledBefore => return kill(When::Before),
            Self::KilledAfter => return kill(When::After),
            Self::KilledWithin => match site.within {
                Some(time) if time >= Duration::from_millis(1) => return kill(When::Middle(time.into())),
                Some(_) => return Err(Unhurt::NotTried("it takes less than a millisecond")),
                None => return Err(Unhurt::Impossible("it calls no service")),
            },
            Self::Outage | Self::Denied | Self::Throttled => return Err(CALLS_ONLY),
        };
        let fits = site.triggers.iter().all(|trigger| kind.fits(*trigger));
        if fits { Ok(kind) } else { Err(Unhurt::Impossible("its trigger does not allow it")) }
    }

    fn hurt_call(self, service: &str, site: &Site) -> Result<(Kind, u32), Unhurt> {
        let names = Names::of(service);
        let once = |kind| Ok((kind, 1));
        match self {
            Self::Error => once(failure(names.broken, false)),
            Self::LostAnswer => once(failure(names.broken, true)),
            Self::Denied => once(failure(names.denied, false)),
            Self::Outage => Ok((failure(names.broken, false), OUTAGE)),
            Self::Throttled => Ok((failure(names.throttled, false), THROTTLED)),
            Self::Slow => once(wait(Moment::After, SLOW_CALL.min(site.timeout / 2))),
            Self::Timeout if site.timeout > LONGEST_WAIT => Err(TOO_LONG),
            Self::Timeout => once(wait(Moment::After, site.timeout + BEYOND)),
            Self::Duplicate | Self::KilledAfter | Self::KilledWithin | Self::KilledBefore => Err(INVOCATIONS_ONLY),
        }
    }

    /// Whether other requests may be hurt by it, because it takes an environment from them.
    pub const fn takes_an_environment(self) -> bool {
        matches!(self, Self::Timeout | Self::KilledAfter | Self::KilledWithin | Self::KilledBefore)
    }
}

/// The names of a service's exceptions.
struct Names {
    broken: &'static str,
    denied: &'static str,
    throttled: &'static str,
}

impl Names {
    fn of(service: &str) -> Self {
        match service {
            "s3" => Self { broken: "InternalError", denied: "AccessDenied", throttled: "SlowDown" },
            "dynamodb" => {
                Self { broken: "InternalServerError", denied: "AccessDeniedException", throttled: "ProvisionedThroughputExceededException" }
            }
            "lambda" => Self { broken: "ServiceException", denied: "AccessDeniedException", throttled: "TooManyRequestsException" },
            _ => Self { broken: "InternalFailure", denied: "AccessDeniedException", throttled: "ThrottlingException" },
        }
    }
}

fn failure(error_type: &str, handler_runs: bool) -> Kind {
    Kind::Error(Failure { error_type: error_type.to_owned(), message: MESSAGE.to_owned(), handler_runs })
}

fn wait(at: Moment, time: Duration) -> Kind {
    Kind::Latency(Latency { at, time: time.into(), jitter: Jitter::None })
}

/// Whether the trigger may deliver an event that succeeded once more. Sources: SQS, standard queues;
/// Lambda, "Using AWS Lambda with Amazon DynamoDB"; Cognito, "Customizing user pool workflows".
const fn delivers_again(trigger: Trigger) -> bool {
    match trigger {
        Trigger::Queue | Trigger::TableStream | Trigger::Asynchronous | Trigger::SignIn | Trigger::Task => true,
        Trigger::Invoke | Trigger::Http | Trigger::Authorizer => false,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use faults::{Fault, Place, Share};

    use super::*;

    fn site(trigger: Trigger, timeout_s: u64) -> Site {
        Site { triggers: vec![trigger], timeout: Duration::from_secs(timeout_s), within: Some(Duration::from_millis(7)) }
    }

    fn spots() -> [Spot; 3] {
        let call = |service: &str, operation: &str| Spot::Call {
            function: "f".into(),
            service: service.into(),
            operation: operation.into(),
            number: 1,
            delivery: 1,
        };
        [Spot::Invocation { function: "f".into(), delivery: 1 }, call("dynamodb", "PutItem"), call("s3", "PutObject")]
    }

    #[test]
    fn each_way_has_a_letter_of_its_own() {
        let letters: BTreeSet<char> = Way::ALL.map(Way::letter).into();
        assert_eq!(letters.len(), Way::ALL.len());
        assert!(Way::ALL.iter().all(|way| way.about().ends_with('.')), "{:?}", Way::ALL.map(Way::about));
    }

    #[test]
    fn every_fault_of_the_table_is_one_that_a_plan_allows_at_its_place() {
        let mut tried = 0;
        for (spot, trigger, way) in
            spots().iter().flat_map(|spot| Trigger::ALL.into_iter().flat_map(move |t| Way::ALL.map(|way| (spot, t, way))))
        {
            let Ok(hurt) = way.hurt(spot, &site(trigger, 10)) else { continue };
            let place = match spot {
                Spot::Invocation { function, .. } => Place::Function(function.clone()),
                Spot::Call { service, operation, .. } => Place::Service { name: service.clone(), operation: Some(operation.clone()) },
            };
            let fault = Fault {
                name: "c".into(),
                place,
                share: Share::ALL,
                when: faults::When::default(),
                at_most: None,
                by: faults::By::Trace,
                cases: None,
                kind: hurt.kind,
            };
            assert_eq!(fault.complaints(), [], "{way:?} {spot:?} {trigger:?}");
            tried += 1;
        }
        assert!(tried > 100, "{tried}");
    }

    #[test]
    fn only_what_its_trigger_knows_happens_to_an_invocation() {
        let [invocation, call, _] = spots();
        for (way, trigger, can) in [
            (Way::Duplicate, Trigger::Queue, true),
            (Way::Duplicate, Trigger::Http, false),
            (Way::LostAnswer, Trigger::Http, true),
            (Way::KilledWithin, Trigger::Http, true),
            (Way::Outage, Trigger::Queue, false),
        ] {
            assert_eq!(way.hurt(&invocation, &site(trigger, 10)).is_ok(), can, "{way:?} {trigger:?}");
        }
        let both = Site { triggers: vec![Trigger::Queue, Trigger::Http], ..site(Trigger::Queue, 10) };
        assert!(Way::Duplicate.hurt(&invocation, &both).is_err(), "one of its triggers does not");
        assert_eq!(Way::Timeout.hurt(&invocation, &site(Trigger::Http, 31)), Err(TOO_LONG));
        assert_eq!(Way::KilledBefore.hurt(&call, &site(Trigger::Http, 10)), Err(INVOCATIONS_ONLY));
        let idle = Site { within: None, ..site(Trigger::Http, 10) };
        assert!(matches!(Way::KilledWithin.hurt(&invocation, &idle), Err(Unhurt::Impossible(_))));
    }

    #[test]
    fn a_delay_stays_within_the_timeout_and_a_hang_does_not() {
        let [invocation, call, _] = spots();
        for (way, spot, timeout_s, expected_ms) in [
            (Way::Slow, &invocation, 10, 8_000),
            (Way::Slow, &call, 10, 1_000),
            (Way::Slow, &call, 1, 500),
            (Way::Timeout, &call, 3, 4_000),
        ] {
            let hurt = way.hurt(spot, &site(Trigger::Http, timeout_s)).unwrap();
            let Kind::Latency(latency) = &hurt.kind else { panic!("{hurt:?}") };
            assert_eq!((latency.time.duration(), hurt.times), (Duration::from_millis(expected_ms), 1), "{way:?} {timeout_s}");
        }
    }
}
