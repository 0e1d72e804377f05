//! Which answers a request calls right: the statuses that its contract allows. Which of them was due is the rules' to judge. Pure.

use crate::systems::clinic::{self, Pool};

use crate::exchange::{Asked, Caller, ClinicToken, RecordForm, Said, SignInBy, ThermostatRequest, UsersRequest};

/// What Cognito answers where it refuses a member, such as one who is disabled.
const REFUSED: &str = "NotAuthorizedException";

impl Asked {
    /// Whether `status` is right for this request, sent with `method`. `said` reads the body, which matters where the status alone does not tell
    /// a refusal from a failure. Any other answer is an error, whatever faults were about it.
    pub fn is_right(&self, method: &str, status: u16, said: impl FnOnce() -> Said) -> bool {
        let statuses = match self {
            Self::Thermostat { caller: Caller::Valid(_), request } => thermostat(request),
            Self::Thermostat { .. } => &[401],
            Self::Clinic { token, client_type, appointment } => clinic(token, *client_type, appointment, method),
            Self::Users { request, .. } => users(request),
            // Cognito answers 400 to a refusal and to a trigger that failed alike.
            Self::SignIn { by: SignInBy::Password | SignInBy::Refresh, .. } => {
                return status == 200 || (status == 400 && said().exception.as_deref() == Some(REFUSED));
            }
            Self::Record(record) => statuses_of_record(record.form),
            Self::Request { statuses } => statuses.as_slice(),
            Self::Other => &[200],
        };
        statuses.contains(&status)
    }
}

const fn thermostat(request: &ThermostatRequest) -> &'static [u16] {
    match request {
        ThermostatRequest::Items => &[200],
        ThermostatRequest::Get { .. } | ThermostatRequest::Set { .. } => &[200, 403],
        ThermostatRequest::Malformed { .. } => &[400],
        ThermostatRequest::UnknownDevice => &[404],
    }
}

fn clinic(token: &ClinicToken, client_type: Option<&str>, appointment: &str, method: &str) -> &'static [u16] {
    let user = match token {
        ClinicToken::Missing => return &[401],
        ClinicToken::Bad { .. } => return &[403],
        ClinicToken::Valid { user, .. } => user,
    };
    let is_known = clinic::APPOINTMENTS.iter().any(|known| known.id == appointment);
    if method != "GET" || !client_type.is_some_and(|given| names(given, user.pool)) {
        &[403]
    } else if is_known {
        &[200, 403]
    } else {
        // The authorizer allows what it knows, so it refuses before the function can say that there is none.
        &[403, 404]
    }
}

/// Whether the header's value names `pool`, in any case.
pub(crate) fn names(given: &str, pool: Pool) -> bool {
    given.eq_ignore_ascii_case(pool.client_type())
}

const fn users(request: &UsersRequest) -> &'static [u16] {
    match request {
        UsersRequest::List => &[200],
        // Deleted, or never created because the create failed.
        UsersRequest::Get | UsersRequest::Update(_) => &[200, 404],
        UsersRequest::Create(_) => &[200, 201, 409],
        UsersRequest::Delete => &[204],
    }
}

/// The statuses that are right for a record of this form.
pub(crate) const fn statuses_of_record(form: RecordForm) -> &'static [u16] {
    match form {
        RecordForm::Good => &[200],
        RecordForm::BadDate | RecordForm::NotBase64 => &[400],
        RecordForm::NoKey | RecordForm::WrongKey => &[403],
    }
}

#[cfg(test)]
mod tests {
    use crate::systems::clinic::USERS;
    use crate::systems::users_api::Shape;

    use super::*;
    use crate::exchange::Record;
    use crate::users::User;

    fn right(asked: &Asked, method: &str) -> Vec<u16> {
        (100..600).filter(|status| asked.is_right(method, *status, Said::default)).collect()
    }

    fn record(form: RecordForm) -> Asked {
        Asked::Record(Box::new(Record { id: "a-1".into(), form, size: 1, etag: None, repeats: false, attempt: 0 }))
    }

    #[test]
    fn a_thermostat_request_has_the_statuses_of_its_contract() {
        let valid = || Caller::Valid("john_doe".into());
        let get = || ThermostatRequest::Get { device: "T".into(), time: None };
        let malformed = ThermostatRequest::Malformed { device: "T".into(), what: "the body is not JSON" };
        for (caller, request, expected) in [
            (valid(), ThermostatRequest::Items, vec![200]),
            (valid(), get(), vec![200, 403]),
            (valid(), malformed, vec![400]),
            (valid(), ThermostatRequest::UnknownDevice, vec![404]),
            (Caller::NoToken, get(), vec![401]),
            (Caller::Forged("john_doe".into()), get(), vec![401]),
            (Caller::Expired("john_doe".into()), get(), vec![401]),
            (Caller::Garbage, get(), vec![401]),
        ] {
            let asked = Asked::Thermostat { caller, request };
            assert_eq!(right(&asked, "POST"), expected, "{asked:?}");
        }
    }

    #[test]
    fn a_clinic_request_has_the_statuses_of_its_contract() {
        let user = USERS[0];
        let (own, other) = match user.pool {
            Pool::Internal => ("Internal", "external"),
            Pool::External => ("External", "internal"),
        };
        let valid = || ClinicToken::Valid { user, id: 1 };
        for (token, client_type, appointment, method, expected) in [
            (valid(), Some(own), "PI-T123", "GET", vec![200, 403]),
            (valid(), Some(own), "PI-T999", "GET", vec![403, 404]),
            (valid(), Some(own), "PI-T123", "POST", vec![403]),
            (valid(), Some(other), "PI-T123", "GET", vec![403]),
            (valid(), None, "PI-T123", "GET", vec![403]),
            (ClinicToken::Missing, Some(own), "PI-T123", "GET", vec![401]),
            (ClinicToken::Bad { user, what: "expired" }, Some(own), "PI-T123", "GET", vec![403]),
        ] {
            let asked = Asked::Clinic { token, client_type, appointment: appointment.into() };
            assert_eq!(right(&asked, method), expected, "{asked:?} {method}");
        }
    }

    #[test]
    fn users_records_and_foreign_requests_have_theirs() {
        let user = || User { id: "u-1".into(), name: "Jane".into(), email: "j@x.com".into() };
        let users = |request| Asked::Users { shape: Shape::One, id: "u-1".into(), request };
        for (asked, expected) in [
            (users(UsersRequest::List), vec![200]),
            (users(UsersRequest::Get), vec![200, 404]),
            (users(UsersRequest::Create(user())), vec![200, 201, 409]),
            (users(UsersRequest::Update(user())), vec![200, 404]),
            (users(UsersRequest::Delete), vec![204]),
            (record(RecordForm::Good), vec![200]),
            (record(RecordForm::BadDate), vec![400]),
            (record(RecordForm::NotBase64), vec![400]),
            (record(RecordForm::NoKey), vec![403]),
            (record(RecordForm::WrongKey), vec![403]),
            (Asked::Request { statuses: vec![202, 503] }, vec![202, 503]),
            (Asked::Other, vec![200]),
        ] {
            assert_eq!(right(&asked, "GET"), expected, "{asked:?}");
        }
    }

    #[test]
    fn a_refused_sign_in_is_right_and_one_that_its_trigger_failed_is_not() {
        for by in [SignInBy::Password, SignInBy::Refresh] {
            let asked = Asked::SignIn { user: "member-00001".into(), by };
            for (status, exception, expected) in [
                (200, None, true),
                (400, Some(REFUSED), true),
                (400, Some("UserLambdaValidationException"), false),
                (400, Some("TooManyRequestsException"), false),
                (400, None, false),
                (429, Some(REFUSED), false),
                (500, Some("InternalErrorException"), false),
            ] {
                let said = || Said { exception: exception.map(str::to_owned), ..Said::default() };
                assert_eq!(asked.is_right("POST", status, said), expected, "{status} {exception:?}");
            }
        }
    }
}
