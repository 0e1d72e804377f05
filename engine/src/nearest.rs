//! Suggests the right name for a wrong one.

/// Names that are less similar than this are unrelated (Jaro-Winkler, 1 is the same).
const ALIKE: f64 = 0.75;

/// The name that was probably meant.
pub fn nearest<'a>(wanted: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let likeness = |name: &str| strsim::jaro_winkler(&wanted.to_lowercase(), &name.to_lowercase());
    let rated = names.into_iter().map(|name| (name, likeness(name))).filter(|(_, likeness)| *likeness >= ALIKE);
    rated.max_by(|(_, a), (_, b)| a.total_cmp(b)).map(|(name, _)| name)
}

/// Lists the names that exist, and the one that was probably meant.
pub fn there_are<'a>(wanted: &str, names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<_> = names.into_iter().collect();
    let listed = names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    format!("there are: {listed}{}", did_you_mean(wanted, names))
}

/// Such as `; did you mean `authorizer`?`; empty if no name is similar.
pub fn did_you_mean<'a>(wanted: &str, names: impl IntoIterator<Item = &'a str>) -> String {
    nearest(wanted, names).map(|name| format!("; did you mean `{name}`?")).unwrap_or_default()
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
        assert_eq!(there_are("a", ["b"]), "there are: `b`");
    }
}
