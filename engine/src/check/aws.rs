//! Checks an experiment on deployed functions: its ARNs are valid, it uses nothing of the local
//! stack, and AWS would accept it.

use std::ops::Range;
use std::time::Duration;

use exports::alarms::{Alarm, Metric};
use exports::{Arn, Function, LONGEST_LEAD};
use faults::time::Time;
use load::Endpoint;
use reports::measurements::RunKind;

use super::super::deployed::{Deployed, NamedStack, OnAws};
use super::super::file::{Aws, DeployedFunction, File, StopAlarm};
use super::super::plan::Plan;
use super::Check;

/// FIS and an attach take at least some seconds.
const SHORTEST_LEAD: Duration = Duration::from_secs(5);

/// The longest wait for a line in CloudWatch Logs.
const LATEST: Duration = Duration::from_secs(300);

impl Check<'_> {
    /// Functions by their ARNs.
    pub(super) fn deployed(&mut self, file: &File, how: &OnAws) -> Option<Deployed> {
        let Some((span, aws)) = by_arn(file) else {
            self.requests_alone(file);
            return None;
        };
        self.nothing_local(file);
        self.baseline_is_known(file, span.clone(), aws.ledger_lag);
        let functions = aws.function.iter().filter_map(|function| self.deployed_function(span.clone(), function)).collect();
        let Some(layer) = &aws.layer else {
            self.complain(span, "`layer` is missing; write the ARN of a version of brownout's layer");
            return None;
        };
        Some(Deployed { layer: self.arn(span, layer)?, functions, how: how.clone(), addresses: None, unmeasured: Vec::new() })
    }

    /// The stack that is named.
    pub(super) fn named_stack(&mut self, file: &File, how: OnAws) -> NamedStack {
        let Some(spanned) = &file.aws else { return NamedStack { how, ..NamedStack::default() } };
        let (span, aws) = (spanned.span(), spanned.get_ref());
        if aws.stack.is_some() && !aws.function.is_empty() {
            self.complain(span.clone(), "`stack` and `[[aws.function]]` exclude each other: a stack names its functions; remove one");
        }
        if aws.stack.is_some() && file.systems.is_empty() {
            self.missing(span.clone(), "a `stack` needs `systems`: what is sent, and what must hold");
        }
        let layer = aws.layer.as_ref().filter(|_| by_arn(file).is_none());
        NamedStack { name: aws.stack.clone(), layer: layer.and_then(|layer| self.arn(span, layer)), how }
    }

    /// How the experiment runs on AWS.
    pub(super) fn on_aws(&mut self, file: &File) -> OnAws {
        let Some(spanned) = &file.aws else { return OnAws::default() };
        let (span, aws) = (spanned.span(), spanned.get_ref());
        let alarms = aws.alarm.iter().filter_map(|alarm| self.alarm(span.clone(), alarm)).collect();
        if !(SHORTEST_LEAD..=LONGEST_LEAD).contains(&aws.fis_lead.duration()) {
            self.complain(span.clone(), format!("`fis-lead` is `{}`; it is `5s` to `5m`", aws.fis_lead));
        }
        let alias_thousandths = (aws.alias_share.value() * 1000.0).round() as u16;
        if alias_thousandths == 0 {
            self.complain(span.clone(), format!("`alias-share` is `{}`; it is `0.001` to `1`", aws.alias_share.value()));
        }
        if aws.alias_grace.duration() > LATEST {
            self.complain(span.clone(), format!("`alias-grace` is `{}`; it is up to `5m`", aws.alias_grace));
        }
        if !(Duration::from_secs(1)..=LATEST).contains(&aws.ledger_lag.duration()) {
            self.complain(span.clone(), format!("`ledger-lag` is `{}`; it is `1s` to `5m`", aws.ledger_lag));
        }
        let tag = aws.tag.split_once('=').filter(|(key, _)| !key.is_empty());
        if tag.is_none() {
            self.complain(span, format!("`{}` is not a tag; write for example `brownout=allowed`", aws.tag));
        }
        let (key, value) = tag.unwrap_or_default();
        OnAws {
            tag: (key.to_owned(), value.to_owned()),
            ledger_lag: aws.ledger_lag.duration(),
            alias_thousandths,
            alias_grace: aws.alias_grace.duration(),
            fis_lead: aws.fis_lead.duration(),
            alarms,
        }
    }

    /// Without functions on AWS, what an experiment sends may go only to a server on this machine.
    fn requests_alone(&mut self, file: &File) {
        // A section that could not be read may have named the functions.
        if !self.has_form || self.kind == RunKind::Load {
            return;
        }
        let requests = || file.load.requests.iter().map(|load| ("`requests` go", load.span(), &load.get_ref().url));
        let journeys = || file.journey.iter().filter_map(|journey| Some(("a `url` goes", journey.span(), journey.get_ref().url.as_ref()?)));
        if !file.systems.is_empty() {
            for (what, span, _) in requests().take(1).chain(journeys().take(1)) {
                self.complain(span, format!("{what} with `[aws]`, or without `systems` to an address of this machine; remove one"));
            }
            return;
        }
        for (_, _, url) in requests().chain(journeys()) {
            if url.get_ref().parse::<Endpoint>().is_ok_and(|endpoint| !endpoint.is_loopback()) {
                let what = format!(
                    "`{}` is not on this machine; requests to functions on AWS need `[aws]`, and `brownout load` sends load alone anywhere",
                    url.get_ref()
                );
                self.complain(url.span(), what);
            }
        }
    }

    fn nothing_local(&mut self, file: &File) {
        for system in &file.systems {
            let what = format!("`{}` is brought up on this machine; an experiment with `[aws]` brings nothing up", system.get_ref().name());
            self.complain(system.span(), what);
        }
        if !file.sends_requests() {
            self.missing(0..0, "nothing is sent; write `[[load.requests]]` with `of`, `url` and `rate`");
        }
    }

    /// Ledgers arrive late on AWS, and a broken baseline must be known before anything is struck.
    fn baseline_is_known(&mut self, file: &File, span: Range<usize>, lag: Time) {
        let (baseline, shortest) = (&file.phases.baseline, Time::from(2 * lag.duration()));
        if baseline.get_ref().duration() < shortest.duration() {
            let what = format!(
                "`baseline` is `{}`; on AWS it needs `{shortest}` at least, twice `ledger-lag` of `[aws]`, which is `{lag}`",
                baseline.get_ref()
            );
            // A default has no position in the file.
            self.complain(if baseline.span().is_empty() { span } else { baseline.span() }, what);
        }
    }

    fn arn(&mut self, span: Range<usize>, text: &str) -> Option<Arn> {
        text.parse().map_err(|what| self.complain(span, what)).ok()
    }

    fn deployed_function(&mut self, span: Range<usize>, function: &DeployedFunction) -> Option<Function> {
        let arn = self.arn(span.clone(), &function.arn);
        let role = self.arn(span.clone(), &function.role);
        let key = function.key.as_ref().and_then(|key| self.arn(span.clone(), key));
        let layers = function.layers.iter().filter_map(|layer| self.arn(span.clone(), layer)).collect();
        Some(Function {
            arn: arn?,
            role: role?,
            layers,
            alias: function.alias.clone(),
            key,
            triggers: function.triggers.clone(),
            timeout: function.timeout.duration(),
            log_group: function.log_group.clone(),
        })
    }

    fn alarm(&mut self, span: Range<usize>, alarm: &StopAlarm) -> Option<Alarm> {
        let Some((namespace, name)) = alarm.metric.split_once(' ') else {
            self.complain(span, format!("`{}` is not a metric; write namespace and name, such as `AWS/Lambda Errors`", alarm.metric));
            return None;
        };
        Some(Alarm { arn: alarm.arn.clone(), metric: Metric::named(namespace, name), function: alarm.function.clone() })
    }

    /// Reports what AWS would refuse later, and stop conditions that cannot react.
    pub(super) fn would_be_refused(&mut self, section: Option<Range<usize>>, plan: &Plan) {
        let (Some(span), Some(experiment)) = (section, plan.for_aws()) else { return };
        for complaint in experiment.complaints() {
            self.complain(span.clone(), complaint.to_string());
        }
    }
}

/// The section `[aws]` of an experiment on functions by their ARNs, and where it is; with `systems`
/// and without such functions it is on a stack, which `--stack` names.
pub(super) fn by_arn(file: &File) -> Option<(Range<usize>, &Aws)> {
    let spanned = file.aws.as_ref()?;
    let aws = spanned.get_ref();
    let is_by_arn = aws.stack.is_none() && (file.systems.is_empty() || !aws.function.is_empty());
    is_by_arn.then(|| (spanned.span(), aws))
}

/// The section's position, for complaints about all of it.
pub(super) fn section(file: &File) -> Option<Range<usize>> {
    file.aws.as_ref().map(|aws| aws.span())
}

#[cfg(test)]
mod tests {
    use super::super::check;

    const GOOD: &str = include_str!("../../../docs/examples/orders.toml");
    const EDIT: &str = r#"event = { set = { "/body" = "not json" } }"#;

    #[test]
    fn the_example_is_an_experiment_on_deployed_functions() {
        let plan = check("orders", GOOD).unwrap();
        let experiment = plan.for_aws().unwrap();
        assert_eq!(experiment.complaints(), []);
        assert_eq!(experiment.functions[0].name(), "orders");
        assert_eq!(plan.load.journeys.len(), 2);
    }

    #[test]
    fn what_an_experiment_sends_stays_on_this_machine_whether_a_request_or_a_journey() {
        let experiment = |more: &str, load: &str| check("x", &format!("question = \"?\"\n{more}\n{load}"));
        let request = |url: &str| format!("[[load.requests]]\nof = \"shop GET /\"\nurl = \"{url}\"\nrate = \"9/s\"\n");
        let journey = |url: &str| {
            format!("[[journey]]\nname = \"buy\"\nurl = \"{url}\"\nrate = \"9/s\"\n[[journey.request]]\nname = \"a\"\nget = \"/\"\n")
        };
        for load in [&request, &journey] as [&dyn Fn(&str) -> String; 2] {
            for here in ["http://127.0.0.1:3000/", "http://localhost:3000/", "http://[::1]:3000/", "http://[::1]/"] {
                assert!(experiment("", &load(here)).is_ok(), "{here}: {:?}", experiment("", &load(here)));
            }
            for elsewhere in ["https://shop.example.com/", "http://10.0.0.1:3000/", "http://127.0.0.1.example.com/"] {
                let wrong = experiment("", &load(elsewhere)).unwrap_err();
                assert!(wrong.len() == 1 && wrong[0].what.contains("is not on this machine"), "{elsewhere}: {wrong:?}");
            }
            let beside = "systems = [\"clinic\"]\n[load]\nclinic = { rate = \"9/s\" }";
            let wrong = experiment(beside, &load("http://127.0.0.1:3000/")).unwrap_err();
            assert!(wrong.len() == 1 && wrong[0].what.contains("or without `systems` to an address of this machine"), "{wrong:?}");
        }
    }

    #[test]
    fn a_default_that_is_too_short_is_reported_at_the_setting_that_makes_it_so() {
        let text = GOOD.replacen("baseline = \"60s\"\n", "", 1);
        let wrong = check("orders", &text).unwrap_err();
        assert!(wrong.len() == 1 && wrong[0].what.starts_with("`baseline` is `15s`"), "{wrong:?}");
        assert!(text[wrong[0].span.start..].starts_with("[aws]"), "{wrong:?}");
    }

    #[test]
    fn settings_that_aws_cannot_have_are_refused_before_anything_is_touched() {
        for (from, to, says) in [
            ("function:orders\"", "function:*\"", "is not a function"),
            ("[aws]", "[aws]\ntag = \"\"", "is not a tag"),
            ("[aws]", "[aws]\nalias-share = 0.0001", "`alias-share` is `0.0001`; it is `0.001` to `1`"),
            ("[aws]", "[aws]\nfis-lead = \"6m\"", "`fis-lead` is `6m`; it is `5s` to `5m`"),
            ("function = \"orders\"", "function = \"order\"", "there is no function `order` under `[aws]`; did you mean `orders`?"),
            ("function = \"orders\"", "service = \"dynamodb\"", "which nobody can strike there"),
            ("baseline = \"60s\"", "baseline = \"20s\"", "on AWS it needs `1m` at least"),
            ("seed = 7", "seed = 7\nsystems = [\"clinic\"]", "an experiment with `[aws]` brings nothing up"),
            ("AWS/ApiGateway Latency", "AWS/Lambda Errors", "cannot react"),
            ("https://", "ftp://", "is not a URL"),
            (
                "triggers = [\"http\"]",
                "triggers = [\"http\", \"authorizer\"]",
                "this `event` cannot be done to `orders`, which is invoked by: request authorizer",
            ),
            ("triggers = [\"http\"]", "", "`event` needs to know what invokes `orders`; give its `triggers`"),
            ("of = \"orders GET /orders/{id}\"\np99", "of = \"orders\"\np99", "there is no endpoint `orders`"),
        ] {
            let good = if says.contains("`event`") {
                GOOD.replacen("latency = { at = \"before\", time = \"300ms\" }", EDIT, 1)
            } else {
                GOOD.to_owned()
            };
            let text = good.replacen(from, to, 1);
            assert_ne!(text, GOOD, "{from}");
            let wrong = check("orders", &text).unwrap_err();
            assert!(wrong.iter().any(|wrong| wrong.what.contains(says)), "{to}: {wrong:?}");
        }
    }
}
