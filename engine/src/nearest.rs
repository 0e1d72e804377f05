//! Suggests the right name for a wrong one.

/// Names that are less similar than this are unrelated (Jaro-Winkler, 1 is the same).
const ALIKE: f64 = 0.75;

/// The name that was probably meant.
pub fn nearest<'a>(wanted: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let likeness = |name: &str| strsim::jaro_winkler(&wanted.to_lowercase(), &name.to_lowercase());
    let rated = names.into_iter().map(|name| (name, likeness(name))).filter(|(_, likeness)| *likeness >= ALIKE);
    rated.max_by(|(_, a), (_, b)| a.total_cmp(b)).map(|(name, _)| name)
}

/// More names than this are counted, not listed.
const MOST: usize = 6;

/// So many of them are named as examples.
const EXAMPLES: usize = 3;

/// What a wrong name should have been: the nearest name if one is near, otherwise the names that
/// exist. Of many, only how many there are, some examples, and `all`, which says where they are
/// listed.
pub fn there_are<'a>(wanted: &str, names: impl IntoIterator<Item = &'a str>, all: &str) -> String {
    let names: Vec<_> = names.into_iter().collect();
    if let Some(name) = nearest(wanted, names.iter().copied()) {
        return format!("did you mean `{name}`?");
    }
    let list = |names: &[&str]| names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    match names.len() {
        0 => "there is none".to_owned(),
        1..=MOST => format!("there are: {}", list(&names)),
        many => format!("there are {many}, such as {}; {all}", list(names.get(..EXAMPLES).unwrap_or(&names))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typo_finds_its_name_and_an_unrelated_word_finds_none() {
        let names = ["thermostat-api", "authorizer", "appointments", "dynamodb", "clinic"];
        for (wanted, meant) in [
            ("authoriser", Some("authorizer")),
            ("Authorizer", Some("authorizer")),
            ("dynamo", Some("dynamodb")),
            ("klinik", Some("clinic")),
            ("apointment", Some("appointments")),
            ("lambda", None),
            ("", None),
        ] {
            assert_eq!(nearest(wanted, names), meant, "{wanted}");
        }
    }

    #[test]
    fn a_near_name_is_named_alone_a_few_are_listed_and_many_are_counted() {
        let many: Vec<String> = (0..21).map(|n| format!("name-{n}")).collect();
        let many = || many.iter().map(String::as_str);
        let all = "`brownout list` lists them";
        assert_eq!(there_are("nam-20", many(), all), "did you mean `name-20`?");
        assert_eq!(there_are("zzz", many(), all), "there are 21, such as `name-0`, `name-1`, `name-2`; `brownout list` lists them");
        assert_eq!(there_are("zzz", many().take(6), all).matches("name-").count(), 6);
        assert_eq!(there_are("a", ["b"], all), "there are: `b`");
        assert_eq!(there_are("a", [], all), "there is none");
    }
}
