//! `[[rule]]` and the rules that are switched off: every name is one of the template, every value is
//! known when its answer comes, and nothing is claimed that could not be shown.

use std::collections::BTreeSet;
use std::ops::Range;
use std::time::Duration;

use run_folder::Place;
use scenarios::conservation::{Claim, Conservation, FileRule, Times, When};
use scenarios::invariants::everywhere;
use scenarios::journeys::{Body, Journey, SENT, Step, ToldOf};
use scenarios::traffic::Load;
use stack::services::elsewhere::Addresses;
use toml::Spanned;

use super::super::file::File;
use super::super::file::rule::{DrainsEntry, EffectEntry, RuleEntry};
use super::super::own_stack::OwnStack;
use super::wanted::{Known, describe};
use super::{Check, kept};
use crate::nearest::there_are;

/// How long after the answer, unless the rule says.
const WITHIN: Duration = Duration::from_secs(10);
/// How long a message may stay in its queue, unless the rule says.
const DRAINED: Duration = Duration::from_secs(60);
/// The end of a run waits no longer than this.
const LONGEST: Duration = Duration::from_secs(180);

/// Takes out the rules that no service of this machine can tell about; returns them, each with why.
fn unseen(rules: &mut Vec<FileRule>, dead_letters: &mut Vec<Place>, elsewhere: &Addresses) -> Vec<String> {
    let mut unseen = Vec::new();
    let mut is_seen = |name: &str, service: Option<&str>| {
        unseen.extend(service.map(|service| format!("`{name}`, because `{service}` is somewhere else")));
        service.is_none()
    };
    rules.retain(|rule| is_seen(rule.name, rule.claim.places().find_map(|place| elsewhere.of(place))));
    if !is_seen(everywhere::DEAD_LETTERS.0, dead_letters.iter().find_map(|queue| elsewhere.of(queue))) {
        dead_letters.clear();
    }
    unseen
}

impl Check<'_> {
    /// Reads the rules of the file into `load`, whose journeys are complete. `faults_from` is when
    /// faults begin, if there are any. Returns the rules that no service of this machine can tell about.
    pub(super) fn rules(&mut self, file: &File, load: &mut Load, own: Option<&OwnStack>, faults_from: Option<Duration>) -> Vec<String> {
        load.off = self.off(file);
        let Some(own) = own else {
            if let (Some(rule), true) = (file.rule.first(), file.stack.template.is_none()) {
                let what = "a rule speaks of the resources of a template; write `template = \"template.yaml\"` under `[stack]`";
                self.complain(rule.span(), what);
            }
            return Vec::new();
        };
        let mut names = BTreeSet::new();
        for rule in file.rule.iter().map(|rule| &rule.get_ref().name) {
            self.rule_name(rule, !names.insert(rule.get_ref()));
        }
        let mut dead_letters = if load.off.contains(&everywhere::DEAD_LETTERS.0) { Vec::new() } else { own.dead_letters.clone() };
        let mut rules: Vec<_> = file.rule.iter().filter_map(|rule| self.rule(rule, load, own)).collect();
        let unseen = unseen(&mut rules, &mut dead_letters, &own.elsewhere);
        for Journey { steps, around, .. } in &mut load.journeys {
            let tokens: BTreeSet<&String> = around.sign_in.iter().flat_map(|sign_in| &sign_in.step.keep).map(|(name, _)| name).collect();
            for step in steps {
                let mut of = told(&rules, step, file);
                of.shows_body &= !step.names().any(|name| tokens.iter().any(|token| *token == name));
                step.told = of;
            }
        }
        let has_header = |step: &Step| step.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("authorization"));
        let carries_tokens = load.journeys.iter().flat_map(|journey| &journey.steps).any(has_header);
        load.has_secrets = (carries_tokens || !own.secrets.is_empty()) && !load.off.contains(&everywhere::SECRETS);
        let judges_starts = !load.off.contains(&everywhere::START_LOOPS.0) && !load.journeys.is_empty();
        load.functions = if judges_starts { own.functions.len() as u64 } else { 0 };
        load.conservation = Conservation { rules, dead_letters, faults_from };
        unseen
    }

    fn off(&mut self, file: &File) -> Vec<&'static str> {
        let known = |id: &Spanned<String>| everywhere::IDS.into_iter().find(|known| *known == id.get_ref());
        for id in &file.expect_invariants.off {
            if known(id).is_none() {
                let there = there_are(id.get_ref(), everywhere::IDS, "`brownout check` lists them");
                self.complain(id.span(), format!("there is no rule `{}` that can be switched off; {there}", id.get_ref()));
            } else if !file.sends_requests() {
                self.complain(id.span(), format!("`{}` is about requests of this file, which has none", id.get_ref()));
            }
        }
        file.expect_invariants.off.iter().filter_map(known).collect()
    }

    fn rule_name(&mut self, name: &Spanned<String>, is_known: bool) {
        let text = name.get_ref();
        if text.trim().is_empty() || text.chars().any(char::is_control) {
            self.complain(name.span(), "a rule needs a name, such as `an accepted order is stored once`");
        } else if everywhere::IDS.contains(&text.as_str()) {
            self.complain(name.span(), format!("`{text}` is the id of a rule of brownout; choose another name"));
        } else if is_known {
            self.complain(name.span(), format!("two rules are called `{text}`"));
        }
    }

    fn rule(&mut self, spanned: &Spanned<RuleEntry>, load: &Load, own: &OwnStack) -> Option<FileRule> {
        let (entry, span) = (spanned.get_ref(), spanned.span());
        let claim = match (&entry.then, &entry.never, &entry.drains) {
            (Some(then), None, None) => self.then(then, entry.when.as_ref(), span, (load, own)),
            (None, Some(never), None) => self.never(never, entry.when.as_ref(), (load, own)),
            (None, None, Some(drains)) => {
                if let Some(when) = &entry.when {
                    self.complain(when.span(), "`drains` is about every message, so it has no `when`");
                }
                self.drains(drains, own)
            }
            _ => {
                self.missing(span, "a rule has one of `then`, `never` and `drains`");
                None
            }
        };
        let (claim, sentence) = claim?;
        Some(FileRule { name: kept(entry.name.get_ref()), sentence: kept(&sentence), claim })
    }

    fn then(
        &mut self,
        entry: &Spanned<EffectEntry>,
        when: Option<&Spanned<String>>,
        span: Range<usize>,
        (load, own): (&Load, &OwnStack),
    ) -> Option<(Claim, String)> {
        let Some(when) = when else {
            self.missing(span, "`then` needs `when`, such as `when = \"buy.place = 2xx\"`");
            return None;
        };
        let within = self.within(entry.get_ref().within.as_ref(), WITHIN);
        let (when, step) = self.when(when, load)?;
        let known = Known::of(step, load);
        let mut alternatives: Vec<_> = entry.get_ref().one_of.iter().collect();
        if alternatives.is_empty() {
            alternatives.push(entry);
        } else {
            self.only_alternatives(entry, &alternatives);
        }
        let outcomes: Vec<_> = alternatives.iter().map(|one| self.wanted(one, own, &known, true)).collect::<Option<_>>()?;
        let all: Vec<_> = alternatives.iter().zip(&outcomes).map(|(one, wanted)| describe(one.get_ref(), wanted)).collect();
        let what = match all.as_slice() {
            [one] => one.clone(),
            several => format!("either {}, never both", several.join(" or ")),
        };
        let sentence = format!("after `{}` answers {}: {what}, within {}", when.of, statuses(&when), seconds(within));
        Some((Claim::After { when, outcomes, within }, sentence))
    }

    fn never(
        &mut self,
        entry: &Spanned<EffectEntry>,
        when: Option<&Spanned<String>>,
        (load, own): (&Load, &OwnStack),
    ) -> Option<(Claim, String)> {
        let effect = entry.get_ref();
        if let Some(times) = &effect.times {
            self.complain(times.span(), "`never` has no `times`; `then` with `times = \"at most 1\"` bounds how often");
        }
        if let Some(first) = effect.one_of.first() {
            self.complain(first.span(), "`never` has no alternatives; write a rule for each");
        }
        let Some(when) = when else {
            if let Some(within) = &effect.within {
                self.complain(within.span(), "without `when`, `never` is about the whole run and has no `within`");
            }
            let wanted = self.wanted(entry, own, &Known::nothing(), false)?;
            let sentence = format!("there is never {}", describe(effect, &wanted));
            return Some((Claim::Never(wanted), sentence));
        };
        let within = self.within(effect.within.as_ref(), WITHIN);
        let (when, step) = self.when(when, load)?;
        let mut wanted = self.wanted(entry, own, &Known::of(step, load), true)?;
        wanted.times = Times::Exactly(0);
        let what = describe(effect, &wanted);
        let sentence = format!("after `{}` answers {}: never {what}, for {}", when.of, statuses(&when), seconds(within));
        Some((Claim::After { when, outcomes: vec![wanted], within }, sentence))
    }

    fn drains(&mut self, entry: &Spanned<DrainsEntry>, own: &OwnStack) -> Option<(Claim, String)> {
        let DrainsEntry { queue, within } = entry.get_ref();
        let within = self.within(within.as_ref(), DRAINED);
        let place = self.named_place("queue", queue, own)?;
        let sentence = format!("each message of `{}` leaves it within {}", queue.get_ref(), seconds(within));
        Some((Claim::Drains { queue: place, within }, sentence))
    }

    /// What `one-of` is beside says nothing of its own.
    fn only_alternatives(&mut self, entry: &Spanned<EffectEntry>, alternatives: &[&Spanned<EffectEntry>]) {
        let effect = entry.get_ref();
        if effect.named().is_some() || effect.key.is_some() || effect.about.is_some() || effect.times.is_some() || !effect.equals.is_empty()
        {
            self.complain(entry.span(), "beside `one-of` there is `within` and nothing else; each alternative says what it is about");
        }
        if alternatives.len() == 1 {
            self.complain(entry.span(), "`one-of` has one alternative; write it without `one-of`");
        }
        for one in alternatives {
            if let Some(within) = &one.get_ref().within {
                self.complain(within.span(), "alternatives have one `within` together; write it beside `one-of`");
            }
            if let Some(inner) = one.get_ref().one_of.first() {
                self.complain(inner.span(), "an alternative has no alternatives");
            }
        }
    }

    fn within(&mut self, given: Option<&Spanned<faults::time::Time>>, otherwise: Duration) -> Duration {
        let Some(given) = given else { return otherwise };
        let within = given.get_ref().duration();
        if within.is_zero() || within > LONGEST {
            self.complain(given.span(), format!("`{}` is outside more than `0s` to `3m`: the end of a run waits for it", given.get_ref()));
        }
        within
    }

    /// The request and the statuses of `buy.place = 2xx`.
    fn when<'a>(&mut self, when: &Spanned<String>, load: &'a Load) -> Option<(When, &'a Step)> {
        let text = when.get_ref();
        let Some((request, answers)) = text.rsplit_once('=').map(|(request, answers)| (request.trim(), answers.trim())) else {
            self.complain(when.span(), format!("`{text}` has no statuses; write for example `buy.place = 2xx`"));
            return None;
        };
        let mut statuses = Vec::new();
        for one in answers.split(',').map(str::trim) {
            match status(one) {
                Some(range) => statuses.push(range),
                None => self.complain(when.span(), format!("`{one}` is not a status; write `2xx`, `201`, or a list such as `200, 201`")),
            }
        }
        let steps = || load.journeys.iter().flat_map(|journey| &journey.steps);
        let spoken = request.replacen('.', " ", 1);
        let Some(step) = steps().find(|step| step.of == request || step.of == spoken) else {
            let names: Vec<String> = steps().map(|step| step.of.replacen(' ', ".", 1)).collect();
            let there = there_are(request, names.iter().map(String::as_str), "`[[journey.request]]` names them");
            self.complain(when.span(), format!("there is no request `{request}`; {there}"));
            return None;
        };
        (!statuses.is_empty()).then_some((When { of: step.of, statuses }, step))
    }
}

/// `2xx` or `201`, with both ends.
fn status(text: &str) -> Option<(u16, u16)> {
    if let Some(class) = text.strip_suffix("xx").and_then(|class| class.parse::<u16>().ok()) {
        return (1..=5).contains(&class).then_some((class * 100, class * 100 + 99));
    }
    text.parse().ok().filter(|status| (100..600).contains(status)).map(|status| (status, status))
}

fn statuses(when: &When) -> String {
    let one = |(from, to): &(u16, u16)| if from == to { from.to_string() } else { format!("{}xx", from / 100) };
    when.statuses.iter().map(one).collect::<Vec<_>>().join(" or ")
}

fn seconds(time: Duration) -> String {
    faults::time::Time::from(time).to_string()
}

/// What the rules about a request are told of its answers.
fn told(rules: &[FileRule], step: &Step, file: &File) -> ToldOf {
    let mut names = BTreeSet::new();
    for rule in rules {
        let Claim::After { when, outcomes, .. } = &rule.claim else { continue };
        if when.of == step.of {
            names.extend(outcomes.iter().flat_map(|wanted| wanted.names().map(str::to_owned)));
        }
    }
    ToldOf { names: names.into_iter().collect(), shows_body: !has_secrets(step.of, file) }
}

/// Whether a variable of the environment may be in the body of a request.
fn has_secrets(of: &str, file: &File) -> bool {
    let requests = file.journey.iter().flat_map(|journey| {
        let name = journey.get_ref().name.get_ref();
        journey.get_ref().request.iter().map(move |request| (format!("{name} {}", request.get_ref().name.get_ref()), request.get_ref()))
    });
    let bodies = requests.filter(|(endpoint, _)| endpoint == of).map(|(_, request)| {
        format!("{}{}", request.body.as_deref().unwrap_or_default(), request.json.as_ref().map(ToString::to_string).unwrap_or_default())
    });
    bodies.into_iter().any(|body| body.split("{{").skip(1).any(|inside| inside.trim_start().starts_with("env")))
}

impl Known {
    /// What is known once a request is answered.
    fn of(step: &Step, load: &Load) -> Self {
        let journey = load.journeys.iter().find(|journey| journey.steps.iter().any(|one| one.of == step.of));
        let mut names: BTreeSet<String> = BTreeSet::new();
        if let Some(journey) = journey {
            names.extend(journey.rows.iter().flat_map(|row| row.keys().cloned()));
            for one in journey.around.setup.iter().chain(&journey.steps) {
                names.extend(one.keep.iter().map(|(name, _)| name.clone()));
                if one.of == step.of {
                    break;
                }
            }
        }
        let sent = if let Body::Json(json) = &step.body { Some(json.clone()) } else { None };
        let pointers = sent.as_ref().map(|json| json.pointers()).unwrap_or_default();
        let examples = names.iter().cloned().chain(pointers.iter().map(|pointer| format!("{SENT}{pointer}"))).collect();
        Self { names, sent, examples, has_request: true }
    }

    /// What is known without any request.
    fn nothing() -> Self {
        Self { names: BTreeSet::new(), sent: None, examples: Vec::new(), has_request: false }
    }
}

#[cfg(test)]
mod tests {
    use run_folder::Place;

    use super::super::check_in;
    use super::*;

    const TEMPLATE: &str = "
Transform: AWS::Serverless-2016-10-31
Resources:
  Orders:
    Type: AWS::DynamoDB::Table
    Properties:
      TableName: all-orders
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{AttributeName: id, AttributeType: S}, {AttributeName: line, AttributeType: S}]
      KeySchema: [{AttributeName: id, KeyType: HASH}, {AttributeName: line, KeyType: RANGE}]
  Receipts: {Type: AWS::S3::Bucket}
  Work:
    Type: AWS::SQS::Queue
    Properties: {RedrivePolicy: {deadLetterTargetArn: !GetAtt Dead.Arn, maxReceiveCount: 3}}
  Dead: {Type: AWS::SQS::Queue}
  News: {Type: AWS::SNS::Topic}
  Sender: {Type: AWS::SES::EmailIdentity, Properties: {EmailIdentity: example.com}}
  Api: {Type: AWS::Serverless::Api, Properties: {StageName: dev}}
  Place:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: python3.12
      Handler: a.b
      InlineCode: pass
      Events: {Post: {Type: Api, Properties: {RestApiId: !Ref Api, Path: /orders, Method: POST}}}
";

    const GOOD: &str = r#"
question = "Is an order kept?"
[stack]
template = "template.yaml"
[[journey]]
name = "buy"
rate = "20/s"
[[journey.request]]
name = "place"
post = "/orders"
json = { key = "{{uuid}}", amount = "{{int 1 9}}", to = { city = "Oslo" } }
expect = { status = 201 }
keep = { order = "/id" }
[[rule]]
name = "stored once"
when = "buy.place = 2xx"
then = { table = "Orders", key = { id = "{{order}}", line = "1" }, equals = { amount = "{{sent /amount}}", city = "{{sent /to/city}}" }, times = 1, within = "20s" }
[[rule]]
name = "shipped or refunded"
when = "buy place = 200, 201"
then = { one-of = [{ queue = "Work", about = "{{order}}" }, { topic = "News", about = "{{order}}" }], within = "30s" }
[[rule]]
name = "nothing is dead"
never = { queue = "Dead" }
[[rule]]
name = "no second mail"
when = "buy.place = 4xx"
never = { email-to = "{{order}}@example.com", equals = { subject = "Order {{order}}" } }
[[rule]]
name = "work drains"
drains = { queue = "Work" }
"#;

    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("template.yaml"), TEMPLATE).unwrap();
        folder
    }

    #[test]
    fn rules_are_read_whole_and_say_what_to_watch() {
        let folder = folder();
        let plan = check_in(folder.path(), "x", GOOD).unwrap_or_else(|wrong| panic!("{wrong:?}"));
        let Conservation { rules, dead_letters, faults_from } = &plan.load.conservation;
        let sentences: Vec<_> = rules.iter().map(|rule| rule.sentence).collect();
        assert_eq!(
            sentences,
            [
                "after `buy place` answers 2xx: a row of `Orders` with `id` = `{{order}}` and `line` = `1` and `amount` = `{{sent /amount}}` \
                 and `city` = `{{sent /to/city}}`, exactly once, within 20s",
                "after `buy place` answers 200 or 201: either a message of `Work` about `{{order}}` or a publication of `News` about \
                 `{{order}}`, never both, within 30s",
                "there is never a message of `Dead`",
                "after `buy place` answers 4xx: never a mail to `{{order}}@example.com` with `subject` = `Order {{order}}`, for 10s",
                "each message of `Work` leaves it within 1m",
            ]
        );
        assert_eq!((dead_letters.as_slice(), *faults_from), (&[Place::Queue("Dead".into())][..], None));
        let watch = plan.deployment().watch;
        let attributes: Vec<_> = watch.attributes(&Place::Table("all-orders".into())).unwrap().iter().cloned().collect();
        assert_eq!(attributes, ["amount", "city"]);
        for place in [Place::Queue("Work".into()), Place::Queue("Dead".into()), Place::Topic("News".into()), Place::Mail] {
            assert!(watch.attributes(&place).is_some(), "{place:?}");
        }
        assert!(watch.attributes(&Place::Bucket("receipts".into())).is_none());
        let step = &plan.load.journeys[0].steps[0];
        assert_eq!(step.told.names, ["order", "sent /amount", "sent /to/city"]);
        assert!(step.told.shows_body);
    }

    #[test]
    fn a_run_without_rules_watches_only_dead_letters_and_that_can_be_switched_off() {
        let folder = folder();
        let bare = GOOD.split("[[rule]]").next().unwrap();
        let plan = check_in(folder.path(), "x", bare).unwrap();
        assert!(plan.deployment().watch.attributes(&Place::Queue("Dead".into())).is_some());
        let off = check_in(folder.path(), "x", &format!("{bare}[expect-invariants]\noff = [\"R-4\", \"R-2\"]\n")).unwrap();
        assert_eq!(off.load.off, ["R-4", "R-2"]);
        assert!(off.deployment().watch.is_empty());
    }

    #[test]
    fn a_rule_about_a_service_that_is_somewhere_else_is_named_as_not_checked() {
        let folder = folder();
        let services = |text: &str| GOOD.replacen("[stack]", &format!("[stack.services]\n{text}\n[stack]"), 1);
        let plan = check_in(folder.path(), "x", &services("dynamodb = \"http://127.0.0.1:8000\"")).unwrap();
        assert_eq!(plan.unseen, ["`stored once`, because `dynamodb` is somewhere else"]);
        assert_eq!(plan.load.conservation.rules.len(), 4);
        assert!(plan.deployment().watch.attributes(&Place::Table("all-orders".into())).is_none());
        assert_eq!(plan.deployment().services["dynamodb"], "http://127.0.0.1:8000");
        assert!(plan.notices[0].contains("their streams invoke no function"), "{:?}", plan.notices);
        let plan = check_in(folder.path(), "x", &services("sqs = \"http://127.0.0.1:8000\"")).unwrap();
        let unseen: Vec<_> = plan.unseen.iter().map(|rule| rule.split(',').next().unwrap()).collect();
        assert_eq!(unseen.last(), Some(&"`R-4`"), "{unseen:?}");
        assert!(plan.load.conservation.dead_letters.is_empty() && plan.load.conservation.rules.len() == 2);
        for (text, says) in [
            ("dynamo = \"http://127.0.0.1:8000\"", "did you mean `dynamodb`?"),
            ("dynamodb = \"http://203.0.113.1:8000\"", "neither this machine nor a private address"),
            ("lambda = \"http://127.0.0.1:8000\"", "always brownout's own"),
        ] {
            let wrong = check_in(folder.path(), "x", &services(text)).unwrap_err();
            assert!(wrong.iter().any(|wrong| wrong.what.contains(says)), "{text}: {wrong:?}");
        }
        let public = GOOD.replacen("[stack]", "[stack]\npublic-services = [\"sqs\"]", 1);
        let wrong = check_in(folder.path(), "x", &public).unwrap_err();
        assert!(wrong.iter().any(|wrong| wrong.what.contains("`[stack.services]` has no `sqs`")), "{wrong:?}");
    }

    #[test]
    fn everything_wrong_with_a_rule_is_named_with_what_would_be_right() {
        let folder = folder();
        for (from, to, says) in [
            ("table = \"Orders\"", "table = \"Order\"", "did you mean `Orders`?"),
            ("table = \"Orders\"", "table = \"Work\"", "`Work` is a queue, not a table; write `queue = \"Work\"`"),
            ("never = { queue = \"Dead\" }", "never = { queue = \"Ded\" }", "did you mean `Dead`?"),
            ("drains = { queue = \"Work\" }", "drains = { queue = \"Wrk\" }", "did you mean `Work`?"),
            ("{ id = \"{{order}}\"", "{ ids = \"{{order}}\"", "did you mean `id`?"),
            ("buy.place = 2xx", "buy.plac = 2xx", "did you mean `buy.place`?"),
            ("buy.place = 2xx", "buy.place", "has no statuses"),
            ("buy.place = 2xx", "buy.place = 2x", "`2x` is not a status"),
            ("id = \"{{order}}\"", "id = \"{{oder}}\"", "did you mean `order`?"),
            ("{{sent /amount}}", "{{sent /amout}}", "did you mean `sent /amount`?"),
            ("{{sent /amount}}", "{{uuid}}", "is made anew each time"),
            ("{{sent /amount}}", "{{env HOME}}", "is made anew each time"),
            ("times = 1", "times = \"once\"", "is not a count"),
            ("times = 1", "times = -1", "is not a count"),
            ("within = \"20s\"", "within = \"4m\"", "`0s` to `3m`"),
            ("within = \"20s\"", "whithin = \"20s\"", "did you mean `within`?"),
            ("about = \"{{order}}\" }, {", "about = \"it\" }, {", "nothing ties this to the request"),
            (
                "queue = \"Work\", about = \"{{order}}\" }, {",
                "queue = \"Work\", about = \"{{order}}\" }], one-off = [{",
                "there is no `one-off`",
            ),
            ("never = { queue = \"Dead\" }", "never = { queue = \"Dead\", about = \"{{order}}\" }", "belongs to a request; add `when`"),
            ("never = { queue = \"Dead\" }", "never = { queue = \"Dead\", times = 1 }", "`never` has no `times`"),
            ("never = { queue = \"Dead\" }", "never = { queue = \"Dead\", key = \"x\" }", "a message has no `key`"),
            ("never = { queue = \"Dead\" }", "never = { about = \"x\" }", "say where"),
            ("never = { queue = \"Dead\" }", "", "one of `then`, `never` and `drains`"),
            ("when = \"buy.place = 2xx\"\n", "", "`then` needs `when`"),
            ("equals = { subject", "equals = { subjet", "did you mean `subject`?"),
            ("name = \"work drains\"", "name = \"stored once\"", "two rules are called `stored once`"),
            ("name = \"work drains\"", "name = \"R-1\"", "is the id of a rule"),
            ("template = \"template.yaml\"\n", "", "a rule speaks of the resources of a template"),
            ("[[rule]]\nname = \"stored once\"", "[rule]\nname = \"stored once\"", "write `[[rule]]`"),
            ("[stack]", "[expect-invariants]\noff = [\"R-9\"]\n[stack]", "there is no rule `R-9` that can be switched off"),
        ] {
            let text = GOOD.replacen(from, to, 1);
            assert_ne!(text, GOOD, "{from}");
            let wrong = check_in(folder.path(), "x", &text).unwrap_err();
            assert!(wrong.iter().any(|wrong| wrong.what.contains(says)), "{to}: {wrong:?}");
        }
    }

    #[test]
    fn a_body_with_a_variable_of_the_environment_is_not_shown() {
        let folder = folder();
        let text = GOOD.replacen("city = \"Oslo\"", "city = \"{{ env HOME }}\"", 1);
        let plan = check_in(folder.path(), "x", &text).unwrap();
        assert!(!plan.load.journeys[0].steps[0].told.shows_body);
    }
}
