//! The ARN of the requested method, and the ARNs of other methods of the API. Nothing that the
//! gateway would read as a pattern gets in.

/// `arn:aws:execute-api:<region>:<account>:<api>/<stage>/<method>/<path>`, in parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct MethodArn<'a> {
    text: &'a str,
    stage: &'a str,
    method: &'a str,
    path: &'a str,
}

impl<'a> MethodArn<'a> {
    pub(super) fn read(text: &'a str) -> Option<Self> {
        let (api, rest) = text.split_once('/')?;
        let (stage, rest) = rest.split_once('/')?;
        let (method, path) = rest.split_once('/').unwrap_or((rest, ""));
        let stage = text.get(..api.len() + 1 + stage.len())?;
        (api.starts_with("arn:") && !method.is_empty()).then_some(Self { text, stage, method, path })
    }

    pub(super) const fn text(&self) -> &'a str {
        self.text
    }

    /// The action's name in the policies: the method and the first segment.
    pub(super) fn action(&self) -> String {
        format!("{}/{}", self.method, self.path.split('/').next().unwrap_or_default())
    }

    /// The id of the requested appointment.
    pub(super) fn appointment(&self) -> Option<&'a str> {
        let (segment, id) = self.path.split_once('/')?;
        (segment == "appointment" && is_plain(id)).then_some(id)
    }

    /// The ARN of reading appointment `id`; `None` if the id would span more than one path.
    pub(super) fn of_appointment(&self, id: &str) -> Option<String> {
        is_plain(id).then(|| format!("{}/GET/appointment/{id}", self.stage))
    }
}

/// `*` and `?` would be patterns and `${` a variable in a policy; `/` would be another path.
fn is_plain(id: &str) -> bool {
    !id.is_empty() && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.~".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARN: &str = "arn:aws:execute-api:us-east-1:123456789012:abc123/dev/GET/appointment/PI-T123";

    #[test]
    fn other_appointments_are_on_the_same_stage() {
        let arn = MethodArn::read(ARN).expect("the contract's own example");
        assert_eq!((arn.action().as_str(), arn.appointment()), ("GET/appointment", Some("PI-T123")));
        let other = "arn:aws:execute-api:us-east-1:123456789012:abc123/dev/GET/appointment/PI-T125";
        assert_eq!(arn.of_appointment("PI-T125").as_deref(), Some(other));
    }

    #[test]
    fn the_answer_to_a_post_names_gets() {
        let arn = MethodArn::read("arn:aws:execute-api:r:1:abc/dev/POST/other").expect("an ARN");
        assert_eq!(arn.of_appointment("PI-T1").as_deref(), Some("arn:aws:execute-api:r:1:abc/dev/GET/appointment/PI-T1"));
        assert_eq!((arn.action().as_str(), arn.appointment()), ("POST/other", None));
    }

    #[test]
    fn an_id_that_is_a_pattern_grants_no_access() {
        let arn = MethodArn::read(ARN).expect("an ARN");
        for id in ["", "*", "PI-T?", "a/b", "${x}", "PI T", "é"] {
            assert_eq!(arn.of_appointment(id), None, "{id}");
        }
    }

    #[test]
    fn an_invalid_method_arn_is_not_read() {
        for text in ["", "abc/dev/GET", "arn:aws:execute-api:r:1:abc", "arn:aws:execute-api:r:1:abc/dev", "arn:x/dev/"] {
            assert_eq!(MethodArn::read(text), None, "{text}");
        }
        assert!(MethodArn::read("arn:x/dev/GET").is_some(), "the root path has a method too");
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_an_arn_or_not_and_allows_only_gets_of_appointments(text in "(arn:)?[a-z:/*?$]{0,40}|\\PC{0,40}", id in "\\PC{0,8}") {
            let opened = MethodArn::read(&text).and_then(|arn| arn.of_appointment(&id));
            let suffix = format!("/GET/appointment/{id}");
            proptest::prop_assert!(opened.is_none_or(|arn| arn.ends_with(&suffix)), "{} {}", text, id);
        }
    }
}
