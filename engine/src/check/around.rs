//! What journeys share and what is around their requests: the rate that they share by weight, what is sent
//! once before and after the load, and the sign-in.

use std::collections::BTreeSet;

use ::load::Timeline;
use scenarios::journeys::{Around, SignIn, Times};
use toml::Spanned;

use super::super::file::File;
use super::super::file::journey::{JourneyEntry, RequestEntry};
use super::Check;
use super::shape::Arriving;

/// The rate under `[load]`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shared {
    rate: f64,
    /// Of all journeys that share it, together.
    weights: f64,
}

impl JourneyEntry {
    fn shares(&self) -> bool {
        self.rate.is_none() && self.stages.is_empty() && self.replay.is_none()
    }

    fn share(&self) -> f64 {
        f64::from(self.weight.unwrap_or(1))
    }
}

impl Check<'_> {
    /// The rate that journeys share.
    pub(super) fn shared(&mut self, file: &File) -> Option<Shared> {
        let given = file.load.rate.as_ref()?;
        let rate = given.get_ref().0;
        self.rate(given.span(), rate);
        let weights = file.journey.iter().map(Spanned::get_ref).filter(|entry| entry.shares()).map(JourneyEntry::share).sum();
        if weights == 0.0 {
            self.complain(given.span(), "no journey shares this `rate`; a `[[journey]]` without `rate`, `stages` and `replay` does");
        }
        Some(Shared { rate, weights })
    }

    /// The arrivals of a journey: its own, or its part of what is shared.
    pub(super) fn arriving_of(&mut self, spanned: &Spanned<JourneyEntry>, shared: Option<Shared>, timeline: Timeline) -> Option<Arriving> {
        let entry = spanned.get_ref();
        if entry.weight == Some(0) {
            self.complain(spanned.span(), "`weight` is 1 or more; a journey without arrivals is left out of the file");
        }
        match (shared, entry.weight) {
            (Some(shared), _) if entry.shares() => {
                Some(Arriving { rate: shared.rate * entry.share() / shared.weights, times: Times::Steady })
            }
            (_, Some(_)) => {
                let fix =
                    if entry.shares() { "write `[load] rate = \"20/s\"`" } else { "remove it, or the journey's own `rate` or `stages`" };
                self.complain(spanned.span(), format!("`weight` is a part of the `rate` under `[load]`; {fix}"));
                None
            }
            (_, None) => self.arriving(spanned.span(), entry.rate, &entry.stages, timeline),
        }
    }

    /// Setup, sign-in and teardown; `known` has the columns of the data, and then also what these keep.
    pub(super) fn around(&mut self, entry: &JourneyEntry, base: &str, known: &mut BTreeSet<String>) -> Around {
        let name = entry.name.get_ref();
        let columns = known.clone();
        let mut kept = BTreeSet::new();
        let setup = entry.setup.iter().filter_map(|request| self.step(name, base, request, &mut kept)).collect();
        for both in kept.intersection(&columns) {
            self.complain(
                entry.name.span(),
                format!("`{both}` is a column of `data`, and the setup keeps it; give one of them another name"),
            );
        }
        known.extend(kept.iter().cloned());
        let sign_in = entry.sign_in.as_ref().and_then(|request| self.sign_in(name, base, request, &columns, known));
        let teardown = entry.teardown.iter().filter_map(|request| self.step(name, base, request, &mut kept)).collect();
        Around { setup, teardown, sign_in }
    }

    fn sign_in(
        &mut self,
        name: &str,
        base: &str,
        request: &Spanned<RequestEntry>,
        columns: &BTreeSet<String>,
        known: &mut BTreeSet<String>,
    ) -> Option<SignIn> {
        if request.get_ref().keep.is_empty() {
            self.complain(
                request.span(),
                "the sign-in keeps nothing that a request could use; write for example `keep = { token = \"/token\" }`",
            );
        }
        let step = self.step(name, base, request, known)?;
        let each_row = step.names().any(|name| columns.contains(name));
        Some(SignIn { step, each_row })
    }
}

#[cfg(test)]
mod tests {
    use super::super::check_in;

    const FILE: &str = r#"
question = "?"
[load]
rate = "20/s"
[[journey]]
name = "buy"
url = "http://127.0.0.1:3000"
data = "users.csv"
weight = 3
[[journey.setup]]
name = "make"
post = "/shops"
keep = { shop = "/id" }
[journey.sign-in]
name = "sign-in"
post = "/sign-in"
json = { user = "{{user}}" }
keep = { token = "/token" }
[[journey.request]]
name = "place"
post = "/orders/{{shop}}"
headers = { Authorization = "Bearer {{token}}" }
[[journey.teardown]]
name = "remove"
delete = "/shops/{{shop}}"
[[journey]]
name = "look"
url = "http://127.0.0.1:3000"
[[journey.request]]
name = "all"
get = "/"
"#;

    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("users.csv"), "user\nann\nbob\n").unwrap();
        folder
    }

    #[test]
    fn journeys_share_a_rate_by_weight_and_know_what_is_around_them() {
        let folder = folder();
        let plan = check_in(folder.path(), "x", FILE).unwrap();
        let [buy, look] = plan.load.journeys.as_slice() else { panic!("{:?}", plan.load.journeys) };
        assert_eq!((buy.rate, look.rate), (15.0, 5.0));
        assert_eq!((buy.around.setup.len(), buy.around.teardown.len()), (1, 1));
        assert!(buy.around.sign_in.as_ref().unwrap().each_row && look.around == Default::default());
        let shared = FILE.replace("{{user}}", "ann");
        assert!(!check_in(folder.path(), "x", &shared).unwrap().load.journeys[0].around.sign_in.as_ref().unwrap().each_row);
    }

    #[test]
    fn everything_wrong_around_a_journey_is_named() {
        let folder = folder();
        for (from, to, says) in [
            ("weight = 3", "weight = 0", "`weight` is 1 or more"),
            ("weight = 3", "weight = 3\nrate = \"1/s\"", "remove it, or the journey's own `rate`"),
            ("rate = \"20/s\"", "", "write `[load] rate ="),
            ("rate = \"20/s\"", "rate = \"90000/s\"", "more than one machine can send"),
            ("weight = 3", "wieght = 3", "did you mean `weight`?"),
            ("/shops/{{shop}}", "/shops/{{shpo}}", "did you mean `shop`?"),
            ("/orders/{{shop}}", "/orders/{{shops}}", "did you mean `shop`?"),
            ("Bearer {{token}}", "Bearer {{tokne}}", "did you mean `token`?"),
            ("/shops/{{shop}}", "/shops/{{user}}", "`{{user}}` has no value"),
            ("keep = { shop = \"/id\" }", "keep = { user = \"/id\" }", "the setup keeps it"),
            ("keep = { token = \"/token\" }", "", "the sign-in keeps nothing"),
            ("post = \"/shops\"", "post = \"shops\"", "does not begin with `/`"),
        ] {
            let text = FILE.replacen(from, to, 1);
            assert_ne!(text, FILE, "{from}");
            let wrong = check_in(folder.path(), "x", &text).unwrap_err();
            assert!(wrong.iter().any(|wrong| wrong.what.contains(says)), "{to}: {wrong:?}");
        }
        let alone = FILE.replace("name = \"look\"", "name = \"look\"\nrate = \"1/s\"").replace("weight = 3", "rate = \"2/s\"");
        let wrong = check_in(folder.path(), "x", &alone).unwrap_err();
        assert!(wrong.iter().any(|wrong| wrong.what.contains("no journey shares this `rate`")), "{wrong:?}");
    }
}
