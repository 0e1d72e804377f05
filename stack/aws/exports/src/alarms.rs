//! Which alarms can react to a fault, and why others cannot. A stop condition that cannot react
//! protects no user, so an experiment that has one is refused. Pure: it uses AWS's documentation of
//! the metrics and calls no account.

use std::time::Duration;

use faults::effect::{Effect, Ending, GATEWAY, Longer};
use faults::{Kind, Trigger};
use serde::{Deserialize, Serialize};

/// What an alarm watches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Metric {
    /// `AWS/Lambda Errors`: invocations that ended in a function error, timeouts included.
    LambdaErrors,
    /// `AWS/Lambda Duration`: from the event to the answer, without the start of the environment.
    LambdaDuration,
    /// `AWS/Lambda Throttles`: invocations that Lambda rejected because no environment was free.
    LambdaThrottles,
    /// `AWS/Lambda Invocations`.
    LambdaInvocations,
    /// `AWS/Lambda ConcurrentExecutions`.
    LambdaConcurrency,
    /// `AWS/Lambda IteratorAge`: how old the last record of a stream's batch is.
    LambdaIteratorAge,
    /// `AWS/ApiGateway 5XXError`.
    GatewayServerErrors,
    /// `AWS/ApiGateway 4XXError`.
    GatewayClientErrors,
    /// `AWS/ApiGateway Latency`: the whole request, its authorizer included.
    GatewayLatency,
    /// `AWS/ApiGateway IntegrationLatency`: the integration alone.
    GatewayIntegrationLatency,
    /// `AWS/ApiGateway Count`.
    GatewayCount,
    /// `AWS/SQS ApproximateAgeOfOldestMessage`.
    QueueAge,
    /// `AWS/SQS ApproximateNumberOfMessagesVisible`.
    QueueLength,
    /// `AWS/States ExecutionsFailed`.
    ExecutionsFailed,
    /// Any other metric: one of the team's own, or a composite alarm.
    Other,
}

impl Metric {
    /// The metric with this namespace and name.
    pub fn named(namespace: &str, name: &str) -> Self {
        match (namespace, name) {
            ("AWS/Lambda", "Errors") => Self::LambdaErrors,
            ("AWS/Lambda", "Duration") => Self::LambdaDuration,
            ("AWS/Lambda", "Throttles") => Self::LambdaThrottles,
            ("AWS/Lambda", "Invocations") => Self::LambdaInvocations,
            ("AWS/Lambda", "ConcurrentExecutions") => Self::LambdaConcurrency,
            ("AWS/Lambda", "IteratorAge") => Self::LambdaIteratorAge,
            ("AWS/ApiGateway", "5XXError") => Self::GatewayServerErrors,
            ("AWS/ApiGateway", "4XXError") => Self::GatewayClientErrors,
            ("AWS/ApiGateway", "Latency") => Self::GatewayLatency,
            ("AWS/ApiGateway", "IntegrationLatency") => Self::GatewayIntegrationLatency,
            ("AWS/ApiGateway", "Count") => Self::GatewayCount,
            ("AWS/SQS", "ApproximateAgeOfOldestMessage") => Self::QueueAge,
            ("AWS/SQS", "ApproximateNumberOfMessagesVisible") => Self::QueueLength,
            ("AWS/States", "ExecutionsFailed") => Self::ExecutionsFailed,
            _ => Self::Other,
        }
    }

    const fn is_of_lambda(self) -> bool {
        use Metric::*;
        matches!(self, LambdaErrors | LambdaDuration | LambdaThrottles | LambdaInvocations | LambdaConcurrency | LambdaIteratorAge)
    }
}

/// Whether a metric moves when a fault strikes, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reaction {
    /// It moves.
    Can(&'static str),
    /// It does not move, however many invocations are struck.
    Cannot(&'static str),
    /// That depends on something that is not known here.
    Unknown(&'static str),
}

const DEPENDS: Reaction = Reaction::Unknown("what the caller sees hangs on what the function makes of it");

/// Whether an alarm on `metric` can react to `kind`, on a function with this `trigger` and
/// `timeout`.
pub fn reaction(kind: &Kind, trigger: Trigger, timeout: Duration, metric: Metric) -> Reaction {
    let effect = kind.effect(trigger, timeout);
    match metric {
        Metric::LambdaErrors => errors(&effect),
        Metric::LambdaDuration => duration(&effect),
        Metric::LambdaThrottles => throttles(&effect),
        Metric::LambdaInvocations => invocations(&effect, trigger),
        Metric::LambdaConcurrency => match effect.longer {
            Longer::Invocation(_) => Reaction::Can("invocations that take longer overlap"),
            Longer::Nothing | Longer::Start => Reaction::Cannot("no more invocations run at once than before"),
        },
        Metric::LambdaIteratorAge if trigger == Trigger::TableStream => backlog(&effect),
        Metric::LambdaIteratorAge => Reaction::Cannot("no stream invokes this function"),
        Metric::GatewayServerErrors => at_the_gateway(trigger).unwrap_or_else(|| server_errors(&effect, trigger)),
        Metric::GatewayClientErrors => at_the_gateway(trigger).unwrap_or_else(|| client_errors(&effect, trigger)),
        Metric::GatewayLatency => at_the_gateway(trigger).unwrap_or_else(|| latency(&effect)),
        Metric::GatewayIntegrationLatency if trigger == Trigger::Authorizer => {
            Reaction::Cannot("`IntegrationLatency` leaves the authorizer out; `Latency` has it")
        }
        Metric::GatewayIntegrationLatency => at_the_gateway(trigger).unwrap_or_else(|| latency(&effect)),
        Metric::GatewayCount => Reaction::Cannot("requests are counted whatever they are answered"),
        Metric::QueueAge | Metric::QueueLength if trigger == Trigger::Queue => backlog(&effect),
        Metric::QueueAge | Metric::QueueLength => Reaction::Cannot("no queue invokes this function"),
        Metric::ExecutionsFailed if trigger == Trigger::Task => executions(&effect),
        Metric::ExecutionsFailed => Reaction::Cannot("no state machine invokes this function"),
        Metric::Other => Reaction::Unknown("it is not one of the metrics that are known here"),
    }
}

fn errors(effect: &Effect) -> Reaction {
    match effect.ending {
        Ending::FunctionError => Reaction::Can("Lambda counts the invocation as an error"),
        Ending::Success => Reaction::Cannot("the invocation succeeds"),
        Ending::Status(_) => Reaction::Cannot("an HTTP status inside a successful invocation never raises Lambda's `Errors`"),
        Ending::Unreadable => Reaction::Cannot("Lambda takes any answer for a success, also one that nobody can read"),
        Ending::Depends => DEPENDS,
    }
}

fn duration(effect: &Effect) -> Reaction {
    match (effect.longer, effect.ending) {
        (Longer::Invocation(_), _) => Reaction::Can("the invocation takes longer"),
        (Longer::Start, _) => Reaction::Cannot("`Duration` leaves the start of an environment out"),
        (Longer::Nothing, Ending::Depends) => DEPENDS,
        (Longer::Nothing, _) => Reaction::Cannot("the invocation takes no longer"),
    }
}

fn throttles(effect: &Effect) -> Reaction {
    match effect.longer {
        Longer::Invocation(_) => Reaction::Unknown("only where longer invocations use the function's concurrency up"),
        Longer::Nothing | Longer::Start => {
            Reaction::Cannot("no real throttle can be made from inside Lambda: the refused invocation is an error, and `Throttles` stays 0")
        }
    }
}

fn invocations(effect: &Effect, trigger: Trigger) -> Reaction {
    match (trigger, effect.ending) {
        (Trigger::Queue | Trigger::TableStream | Trigger::Asynchronous, Ending::FunctionError) => {
            Reaction::Can("what failed is invoked again")
        }
        (Trigger::Task, Ending::FunctionError) => Reaction::Unknown("only where the state machine tries again"),
        (Trigger::SignIn, Ending::FunctionError) if effect.longer != Longer::Nothing => Reaction::Can("after 5 s Cognito calls again"),
        (Trigger::Queue | Trigger::TableStream | Trigger::Asynchronous, Ending::Depends) => DEPENDS,
        _ => Reaction::Cannot("struck or not, an invocation is counted once"),
    }
}

fn at_the_gateway(trigger: Trigger) -> Option<Reaction> {
    let waits = matches!(trigger, Trigger::Http | Trigger::Authorizer);
    (!waits).then_some(Reaction::Cannot("no request of API Gateway waits for this trigger"))
}

fn server_errors(effect: &Effect, trigger: Trigger) -> Reaction {
    let authorizer = trigger == Trigger::Authorizer;
    match effect.ending {
        Ending::FunctionError if authorizer => Reaction::Can("an authorizer that fails is answered with 500"),
        Ending::Status(_) | Ending::Unreadable if authorizer => Reaction::Can("an answer that is no policy is answered with 500"),
        Ending::FunctionError => Reaction::Can("the caller sees 502"),
        Ending::Unreadable => Reaction::Can("the caller sees 502, since the answer is no answer of a proxy"),
        Ending::Status(500..) => Reaction::Can("the caller sees that status"),
        Ending::Status(_) => Reaction::Cannot("the caller sees 4xx"),
        Ending::Success if matches!(effect.longer, Longer::Invocation(time) if time >= GATEWAY) => {
            Reaction::Can("from 29 s the caller sees 504")
        }
        Ending::Success => Reaction::Cannot("the caller sees a success"),
        Ending::Depends => DEPENDS,
    }
}

fn client_errors(effect: &Effect, trigger: Trigger) -> Reaction {
    match effect.ending {
        Ending::Status(400..=499) if trigger == Trigger::Http => Reaction::Can("the caller sees that status"),
        Ending::Depends => DEPENDS,
        Ending::Success => Reaction::Cannot("the caller sees a success"),
        Ending::Status(_) | Ending::FunctionError | Ending::Unreadable => Reaction::Cannot("the caller sees 5xx"),
    }
}

fn latency(effect: &Effect) -> Reaction {
    match (effect.longer, effect.ending) {
        (Longer::Invocation(_) | Longer::Start, _) => Reaction::Can("the caller waits longer"),
        (Longer::Nothing, Ending::Depends) => DEPENDS,
        (Longer::Nothing, _) => Reaction::Cannot("the caller waits no longer"),
    }
}

/// Whether a backlog builds up in a queue or a stream.
fn backlog(effect: &Effect) -> Reaction {
    match (effect.ending, effect.longer) {
        (Ending::FunctionError, _) => Reaction::Can("what failed comes back and grows old"),
        (_, Longer::Invocation(_) | Longer::Start) => Reaction::Can("what comes later waits while this takes longer"),
        (Ending::Depends, _) => DEPENDS,
        (Ending::Success | Ending::Status(_) | Ending::Unreadable, _) => Reaction::Cannot("any answer without an error counts as done"),
    }
}

fn executions(effect: &Effect) -> Reaction {
    match effect.ending {
        Ending::FunctionError => Reaction::Can("the task fails, unless the state machine tries again"),
        Ending::Unreadable => Reaction::Unknown("the task fails only where its output is no JSON"),
        Ending::Depends => DEPENDS,
        Ending::Success | Ending::Status(_) => Reaction::Cannot("the task succeeds"),
    }
}

/// An alarm in CloudWatch that ends an experiment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Alarm {
    /// Its ARN.
    pub arn: String,
    /// What it watches.
    pub metric: Metric,
    /// The function that its `FunctionName` dimension names, if it has one.
    pub function: Option<String>,
}

/// The part of a function that matters to an alarm.
#[derive(Debug, Clone, Copy)]
pub struct Watched<'a> {
    /// Its name.
    pub name: &'a str,
    /// What invokes it; empty means any trigger.
    pub triggers: &'a [Trigger],
    /// Its timeout.
    pub timeout: Duration,
}

impl Alarm {
    /// Whether its rule may be about other alarms; a composite alarm has no metric.
    pub fn may_be_composite(&self) -> bool {
        self.metric == Metric::Other
    }

    /// Why the alarm cannot react to any of these faults, each given with the function that it
    /// strikes. `None` if it can react, or if that is not known.
    pub fn blindness<'a>(&self, struck: impl IntoIterator<Item = (&'a Kind, Watched<'a>)>) -> Option<String> {
        let mut reasons: Vec<String> = Vec::new();
        for (kind, function) in struck {
            if self.metric.is_of_lambda() && self.function.as_deref().is_some_and(|name| name != function.name) {
                reasons.push(format!("it watches another function than `{}`", function.name));
                continue;
            }
            let triggers = if function.triggers.is_empty() { &Trigger::ALL[..] } else { function.triggers };
            for trigger in triggers {
                match reaction(kind, *trigger, function.timeout, self.metric) {
                    Reaction::Can(_) | Reaction::Unknown(_) => return None,
                    Reaction::Cannot(why) => reasons.push(format!("`{}` of `{}`: {why}", kind.name(), function.name)),
                }
            }
        }
        reasons.dedup();
        Some(if reasons.is_empty() { "there is no fault that it could react to".to_owned() } else { reasons.join("; ") })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fault, trigger, metric, and whether it can react: `yes`, `no` or `unknown`.
    const TABLE: &str = r#"
{"latency":{"time":"300ms"}}                      Http         AWS/Lambda Errors                            no
{"latency":{"time":"300ms"}}                      Http         AWS/Lambda Duration                          yes
{"latency":{"time":"300ms"}}                      Http         AWS/Lambda Throttles                         unknown
{"latency":{"time":"300ms"}}                      Http         AWS/Lambda Invocations                       no
{"latency":{"time":"300ms"}}                      Http         AWS/Lambda ConcurrentExecutions              yes
{"latency":{"time":"300ms"}}                      Http         AWS/ApiGateway 5XXError                      no
{"latency":{"time":"300ms"}}                      Http         AWS/ApiGateway 4XXError                      no
{"latency":{"time":"300ms"}}                      Http         AWS/ApiGateway Latency                       yes
{"latency":{"time":"300ms"}}                      Http         AWS/ApiGateway IntegrationLatency            yes
{"latency":{"time":"300ms"}}                      Authorizer   AWS/ApiGateway Latency                       yes
{"latency":{"time":"300ms"}}                      Authorizer   AWS/ApiGateway IntegrationLatency            no
{"latency":{"time":"300ms"}}                      Queue        AWS/ApiGateway Latency                       no
{"latency":{"time":"300ms"}}                      Queue        AWS/SQS ApproximateAgeOfOldestMessage        yes
{"latency":{"time":"300ms"}}                      TableStream  AWS/Lambda IteratorAge                       yes
{"latency":{"time":"300ms"}}                      Task         AWS/States ExecutionsFailed                  no
{"latency":{"time":"300ms"}}                      Http         Shop Orders                                  unknown
{"latency":{"time":"10s"}}                        Http         AWS/Lambda Errors                            yes
{"latency":{"time":"10s"}}                        Http         AWS/ApiGateway 5XXError                      yes
{"latency":{"time":"10s"}}                        SignIn       AWS/Lambda Invocations                       yes
{"error":{}}                                      Http         AWS/Lambda Errors                            yes
{"error":{}}                                      Http         AWS/Lambda Duration                          no
{"error":{}}                                      Http         AWS/Lambda Throttles                         no
{"error":{}}                                      Http         AWS/Lambda Invocations                       no
{"error":{}}                                      Queue        AWS/Lambda Invocations                       yes
{"error":{}}                                      Asynchronous AWS/Lambda Invocations                       yes
{"error":{}}                                      Task         AWS/Lambda Invocations                       unknown
{"error":{}}                                      Http         AWS/ApiGateway 5XXError                      yes
{"error":{}}                                      Http         AWS/ApiGateway 4XXError                      no
{"error":{}}                                      Http         AWS/ApiGateway Latency                       no
{"error":{}}                                      Http         AWS/ApiGateway Count                         no
{"error":{}}                                      Authorizer   AWS/ApiGateway 5XXError                      yes
{"error":{}}                                      Queue        AWS/SQS ApproximateAgeOfOldestMessage        yes
{"error":{}}                                      Queue        AWS/SQS ApproximateNumberOfMessagesVisible   yes
{"error":{}}                                      Http         AWS/SQS ApproximateAgeOfOldestMessage        no
{"error":{}}                                      TableStream  AWS/Lambda IteratorAge                       yes
{"error":{}}                                      Http         AWS/Lambda IteratorAge                       no
{"error":{}}                                      Task         AWS/States ExecutionsFailed                  yes
{"error":{}}                                      Http         AWS/States ExecutionsFailed                  no
{"response":{"status":500}}                       Http         AWS/Lambda Errors                            no
{"response":{"status":503}}                       Http         AWS/ApiGateway 5XXError                      yes
{"response":{"status":503}}                       Http         AWS/ApiGateway 4XXError                      no
{"response":{"status":404}}                       Http         AWS/ApiGateway 4XXError                      yes
{"response":{"status":404}}                       Http         AWS/ApiGateway 5XXError                      no
{"response":{"status":503}}                       Authorizer   AWS/ApiGateway 5XXError                      yes
{"response":{"status":503}}                       Queue        AWS/SQS ApproximateAgeOfOldestMessage        no
{"response":{"status":503}}                       Task         AWS/States ExecutionsFailed                  no
{"response":{"cut-at":3}}                         Http         AWS/Lambda Errors                            no
{"response":{"cut-at":3}}                         Http         AWS/ApiGateway 5XXError                      yes
{"response":{"cut-at":3}}                         Task         AWS/States ExecutionsFailed                  unknown
{"response":{"drop":true}}                        Http         AWS/Lambda Errors                            yes
{"response":{"drop":true}}                        Http         AWS/Lambda Duration                          yes
{"stream":{"first-byte":"500ms"}}                 Http         AWS/Lambda Errors                            no
{"stream":{"first-byte":"500ms"}}                 Http         AWS/Lambda Duration                          yes
{"stream":{"cut-after":3}}                        Http         AWS/Lambda Errors                            yes
{"stream":{"error":{}}}                           Http         AWS/Lambda Errors                            unknown
{"again":{}}                                      Http         AWS/Lambda Errors                            no
{"again":{}}                                      Http         AWS/Lambda Invocations                       no
{"again":{}}                                      Http         AWS/Lambda Duration                          yes
{"response":{"raw":"{\"statusCode\":503}"}}       Http         AWS/ApiGateway 5XXError                      yes
{"response":{"raw":"{\"statusCode\":503}"}}       Authorizer   AWS/ApiGateway 5XXError                      no
{"response":{"raw":""}}                           Queue        AWS/SQS ApproximateAgeOfOldestMessage        unknown
{"event":{"set":{"/body":""}}}                    Http         AWS/Lambda Errors                            unknown
{"event":{"set":{"/body":""}}}                    Authorizer   AWS/Lambda Errors                            no
{"event":{"set":{"/body":""}}}                    Queue        AWS/SQS ApproximateAgeOfOldestMessage        no
{"event":{"set":{"/Records/0/body":""}}}          Queue        AWS/SQS ApproximateAgeOfOldestMessage        unknown
{"timeout":{}}                                    Http         AWS/Lambda Errors                            yes
{"timeout":{}}                                    Http         AWS/Lambda Duration                          yes
{"timeout":{"share-of-deadline":0.5}}             Http         AWS/Lambda Errors                            no
{"timeout":{"share-of-deadline":0.5}}             Http         AWS/Lambda Duration                          yes
{"kill":{"at":"before"}}                          Http         AWS/Lambda Errors                            yes
{"kill":{"at":"before"}}                          Http         AWS/Lambda Duration                          no
{"kill":{"at":"after"}}                           Queue        AWS/SQS ApproximateAgeOfOldestMessage        yes
{"init":{"slow":"2s"}}                            Http         AWS/Lambda Errors                            no
{"init":{"slow":"2s"}}                            Http         AWS/Lambda Duration                          no
{"init":{"slow":"2s"}}                            Http         AWS/ApiGateway Latency                       yes
{"init":{"failed":{}}}                            Http         AWS/Lambda Errors                            yes
{"throttle":{"burst":5}}                          Http         AWS/Lambda Throttles                         no
{"throttle":{"burst":5}}                          Http         AWS/Lambda Errors                            yes
{"throttle":{"burst":5}}                          Http         AWS/ApiGateway 4XXError                      no
{"throttle":{"burst":5}}                          Http         AWS/ApiGateway 5XXError                      yes
{"resource":{"cpu-threads":2}}                    Http         AWS/Lambda Duration                          yes
{"resource":{"memory-mib":64}}                    Http         AWS/Lambda Duration                          unknown
{"resource":{"cpu-threads":2}}                    Http         AWS/Lambda Errors                            unknown
{"dependency":{"host":"h","trouble":"refused"}}   Http         AWS/Lambda Duration                          unknown
{"dependency":{"host":"h","trouble":"refused"}}   Http         AWS/ApiGateway 5XXError                      unknown
{"dependency":{"host":"h","trouble":{"slow":"1s"}}} Http       AWS/Lambda Duration                          yes
"#;

    const TIMEOUT: Duration = Duration::from_secs(5);

    fn kind(json: &str) -> Kind {
        serde_json::from_str(json).unwrap_or_else(|error| panic!("{json}: {error}"))
    }

    fn answer(reaction: Reaction) -> (&'static str, &'static str) {
        match reaction {
            Reaction::Can(why) => ("yes", why),
            Reaction::Cannot(why) => ("no", why),
            Reaction::Unknown(why) => ("unknown", why),
        }
    }

    #[test]
    fn each_line_of_the_table_holds() {
        let mut kinds = std::collections::BTreeSet::new();
        for line in TABLE.trim().lines() {
            let words: Vec<_> = line.split_whitespace().collect();
            let kind = kind(words[0]);
            let trigger = *Trigger::ALL.iter().find(|one| format!("{one:?}") == words[1]).unwrap_or_else(|| panic!("{line}"));
            let (answer, why) = answer(reaction(&kind, trigger, TIMEOUT, Metric::named(words[2], words[3])));
            assert_eq!(answer, words[4], "{line}: {why}");
            assert!(!why.is_empty() && !why.ends_with('.'), "{line}");
            kinds.insert(kind.name());
        }
        assert_eq!(kinds.len(), faults::kinds::NAMES.len(), "a kind has no line: {kinds:?}");
    }

    #[test]
    fn only_a_latency_beyond_the_gateways_timeout_turns_success_into_a_server_error() {
        let slow = kind(r#"{"latency":{"time":"29s"}}"#);
        let reaction = |timeout| reaction(&slow, Trigger::Http, timeout, Metric::GatewayServerErrors);
        assert!(matches!(reaction(Duration::from_secs(60)), Reaction::Can(_)));
        let slow = kind(r#"{"latency":{"time":"28s"}}"#);
        assert!(matches!(super::reaction(&slow, Trigger::Http, Duration::from_secs(60), Metric::GatewayServerErrors), Reaction::Cannot(_)));
    }

    #[test]
    fn an_alarm_is_blind_only_if_no_fault_of_the_experiment_can_move_it() {
        let status = kind(r#"{"response":{"status":500}}"#);
        let error = kind(r#"{"error":{}}"#);
        let function = |name| Watched { name, triggers: &[Trigger::Http], timeout: TIMEOUT };
        let alarm =
            |function: Option<&str>| Alarm { arn: "arn".into(), metric: Metric::LambdaErrors, function: function.map(str::to_owned) };
        let blind = alarm(None).blindness([(&status, function("a"))]).unwrap();
        assert!(blind.contains("never raises Lambda's `Errors`"), "{blind}");
        assert_eq!(alarm(None).blindness([(&status, function("a")), (&error, function("b"))]), None);
        assert_eq!(alarm(Some("b")).blindness([(&status, function("a")), (&error, function("b"))]), None);
        assert!(alarm(Some("a")).blindness([(&status, function("a")), (&error, function("b"))]).is_some());
        assert!(alarm(None).blindness([]).is_some());
    }

    #[test]
    fn a_function_with_an_unknown_trigger_may_have_any_trigger() {
        let error = kind(r#"{"error":{}}"#);
        let alarm = Alarm { arn: "arn".into(), metric: Metric::QueueAge, function: None };
        let function = |triggers| Watched { name: "a", triggers, timeout: TIMEOUT };
        assert_eq!(alarm.blindness([(&error, function(&[]))]), None);
        assert!(alarm.blindness([(&error, function(&[Trigger::Http]))]).is_some());
    }
}
