//! Things of AWS IoT, each with a certificate that may do what a thermostat does, and nothing else.

use serde_json::{Value, json};

use super::error::SeedError;
use super::item::{ATTRIBUTE, Item, Undone};
use super::key::is_for;
use super::services::{Services, if_there, unless};
use crate::call::{CallError, Meaning};
use crate::signed::{Call, text};

/// Something of this name exists.
const EXISTS: &str = "ResourceAlreadyExistsException";

/// The thing or certificate is still attached: a detachment takes effect within seconds.
const ATTACHED: [&str; 2] = ["DeleteConflictException", "InvalidRequestException"];

/// Clocks may differ by so many seconds.
const CLOCKS: f64 = 600.0;

/// A certificate as the service shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Certificate {
    pub id: String,
    pub arn: String,
    pub pem: String,
}

/// The name of the policy that the certificates of a seed have.
pub(super) fn policy_name(id: &str) -> String {
    format!("brownout-seed-{id}")
}

/// Whether AWS IoT accepts a thing's name. It is part of a file's name too.
pub(super) fn is_thing(name: &str) -> bool {
    (1..=128).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b":_-".contains(&byte))
}

pub(super) fn encoded(name: &str) -> String {
    name.replace(':', "%3A")
}

/// A thing connects by its own name, and uses the topics of its own shadows.
pub(super) fn policy_document(partition: &str, region: &str, account: &str) -> Value {
    let arn = |resource: &str| format!("arn:{partition}:iot:{region}:{account}:{resource}");
    let name = "${iot:Connection.Thing.ThingName}";
    let (topic, filter) = (arn(&format!("topic/$aws/things/{name}/shadow/*")), arn(&format!("topicfilter/$aws/things/{name}/shadow/*")));
    let attached = json!({"Bool": {"iot:Connection.Thing.IsAttached": ["true"]}});
    json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": ["iot:Connect"], "Resource": [arn(&format!("client/{name}"))], "Condition": attached},
        {"Effect": "Allow", "Action": ["iot:Publish", "iot:Receive"], "Resource": [topic]},
        {"Effect": "Allow", "Action": ["iot:Subscribe"], "Resource": [filter]},
    ]})
}

impl Services {
    async fn iot(&self, name: &'static str, of: &str, method: &'static str, path: String, body: Value) -> Result<Value, CallError> {
        self.iot.call(&Call { name, of, method, path: &path, headers: Vec::new(), body }).await
    }

    async fn iot_by(&self, name: &'static str, of: &str, method: &'static str, principal: &str) -> Result<Value, CallError> {
        let (path, headers) = (format!("/things/{}/principals", encoded(of)), vec![("x-amzn-principal", principal.to_owned())]);
        let call = Call { name, of, method, path: &path, headers, body: Value::Null };
        self.patience.insist(|| self.iot.call(&call)).await
    }

    pub(super) async fn create_iot_policy(&self, item: &Item, name: &str, document: &Value) -> Result<(), SeedError> {
        let body = json!({"policyDocument": document.to_string()});
        let created = self.patience.insist(|| async {
            let created = self.iot("CreatePolicy", name, "POST", format!("/policies/{name}"), body.clone()).await;
            // The name is this seed's own: an earlier try made it.
            unless(created, EXISTS)
        });
        created.await.map(drop).map_err(|cause| SeedError::call(item, cause))
    }

    pub(super) async fn delete_iot_policy(&self, name: &str) -> Result<Undone, CallError> {
        let deleted = self.detached(|| self.iot("DeletePolicy", name, "DELETE", format!("/policies/{name}"), Value::Null)).await?;
        Ok(if deleted.is_some() { Undone::Deleted } else { Undone::Gone })
    }

    /// Creates a thing; returns its id.
    pub(super) async fn create_thing(&self, item: &Item, name: &str, id: &str) -> Result<Option<String>, SeedError> {
        let body = json!({"attributePayload": {"attributes": {ATTRIBUTE: id}}});
        let created = self.patience.insist(|| async {
            // A second call with the same attributes succeeds.
            unless(self.iot("CreateThing", name, "POST", format!("/things/{}", encoded(name)), body.clone()).await, EXISTS)
        });
        let created = created.await.map_err(|cause| SeedError::call(item, cause))?;
        let created = created.ok_or_else(|| SeedError::Taken(item.to_string()))?;
        Ok(text(&created, "thingId").map(str::to_owned))
    }

    /// Deletes a thing. One that was created again by somebody else is another thing.
    pub(super) async fn delete_thing(&self, name: &str, id: &str, known: Option<&str>) -> Result<Undone, CallError> {
        let path = format!("/things/{}", encoded(name));
        let read = self.patience.insist(|| self.iot("DescribeThing", name, "GET", path.clone(), Value::Null)).await;
        let Some(there) = if_there(read)? else { return Ok(Undone::Gone) };
        let is_marked = there.get("attributes").and_then(|attributes| text(attributes, ATTRIBUTE)) == Some(id);
        let is_same = known.is_some() && text(&there, "thingId") == known;
        match (is_marked, is_same) {
            (false, false) => return Ok(Undone::Gone),
            (false, true) => return Ok(Undone::Changed(format!("somebody changed its attribute `{ATTRIBUTE}`"))),
            (true, _) => {}
        }
        let deleted = self.detached(|| self.iot("DeleteThing", name, "DELETE", path.clone(), Value::Null)).await?;
        Ok(if deleted.is_some() { Undone::Deleted } else { Undone::Gone })
    }

    /// Asks for a certificate. It is asked for once: the service would make another one, and which is known only by its key.
    pub(super) async fn create_certificate(&self, item: &Item, request: &str) -> Result<Certificate, SeedError> {
        let body = json!({"certificateSigningRequest": request});
        let mut pauses = self.patience.begin();
        let made = loop {
            let path = "/certificates?setAsActive=true".to_owned();
            match self.iot("CreateCertificateFromCsr", "a certificate", "POST", path, body.clone()).await {
                Err(error) if error.is_throttled() && pauses.pause().await => {}
                made => break made.map_err(|cause| SeedError::call(item, cause))?,
            }
        };
        let of = |name: &str| text(&made, name).unwrap_or_default().to_owned();
        Ok(Certificate { id: of("certificateId"), arn: of("certificateArn"), pem: of("certificatePem") })
    }

    /// Attaches a certificate to its thing and the policy to it.
    pub(super) async fn attach_certificate(&self, thing: &str, policy: &str, arn: &str) -> Result<(), CallError> {
        self.iot_by("AttachThingPrincipal", thing, "PUT", arn).await?;
        let (path, body) = (format!("/target-policies/{policy}"), json!({"target": arn}));
        self.patience.insist(|| self.iot("AttachPolicy", policy, "PUT", path.clone(), body.clone())).await.map(drop)
    }

    /// Deletes a certificate. If its id is not known, it is found by its key.
    pub(super) async fn delete_certificate(&self, of: (&str, &str, &str), known: Option<&str>, since: u64) -> Result<Undone, CallError> {
        let (thing, policy, public_key) = of;
        let found = match known {
            Some(id) => self.certificate(id).await?.into_iter().collect(),
            None => self.certificates_for(public_key, since).await?,
        };
        let mut undone = Undone::Gone;
        for Certificate { id, arn, .. } in found {
            if_there(self.iot_by("DetachThingPrincipal", thing, "DELETE", &arn).await)?;
            let (path, body) = (format!("/target-policies/{policy}"), json!({"target": arn}));
            if_there(self.patience.insist(|| self.iot("DetachPolicy", policy, "POST", path.clone(), body.clone())).await)?;
            let path = format!("/certificates/{id}?newStatus=INACTIVE");
            if_there(self.patience.insist(|| self.iot("UpdateCertificate", &id, "PUT", path.clone(), Value::Null)).await)?;
            let path = format!("/certificates/{id}");
            let deleted = self.detached(|| self.iot("DeleteCertificate", &id, "DELETE", path.clone(), Value::Null)).await?;
            undone = if deleted.is_some() { Undone::Deleted } else { undone };
        }
        Ok(undone)
    }

    async fn certificate(&self, id: &str) -> Result<Option<Certificate>, CallError> {
        let path = format!("/certificates/{id}");
        let read = self.patience.insist(|| self.iot("DescribeCertificate", id, "GET", path.clone(), Value::Null)).await;
        let part = |found: &Value, name: &str| {
            let described = found.get("certificateDescription");
            described.and_then(|described| text(described, name)).unwrap_or_default().to_owned()
        };
        let of = |found: Value| Certificate { id: id.to_owned(), arn: part(&found, "certificateArn"), pem: part(&found, "certificatePem") };
        Ok(if_there(read)?.map(of))
    }

    /// The certificates for a public key, among those that were made since.
    async fn certificates_for(&self, public_key: &str, since: u64) -> Result<Vec<Certificate>, CallError> {
        let (mut all, mut marker) = (Vec::new(), String::new());
        loop {
            let path = format!("/certificates?pageSize=250{marker}");
            let page = self.patience.insist(|| self.iot("ListCertificates", "certificates", "GET", path.clone(), Value::Null)).await?;
            for listed in page.get("certificates").and_then(Value::as_array).into_iter().flatten() {
                let is_older = listed["creationDate"].as_f64().is_some_and(|made| made + CLOCKS < since as f64);
                let id = listed["certificateId"].as_str().filter(|_| !is_older);
                let Some(id) = id else { continue };
                all.extend(self.certificate(id).await?.filter(|certificate| is_for(&certificate.pem, public_key)));
            }
            let Some(next) = text(&page, "nextMarker") else { return Ok(all) };
            marker = format!("&marker={}", form_encoded(next));
        }
    }

    /// Makes a call that may have to wait until a detachment has taken effect; `None` if the thing is not there.
    async fn detached<Answer>(&self, call: impl Fn() -> Answer) -> Result<Option<Value>, CallError>
    where
        Answer: Future<Output = Result<Value, CallError>>,
    {
        let waiting = || async {
            call().await.map_err(|error| {
                let meaning = if ATTACHED.contains(&error.code.as_str()) { Meaning::Again } else { error.meaning };
                CallError { meaning, ..error }
            })
        };
        if_there(self.patience.insist(waiting).await)
    }
}

fn form_encoded(text: &str) -> String {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(byte);
    text.bytes().map(|byte| if is_plain(&byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_allows_its_own_thing_and_its_own_shadows_alone() {
        let document = policy_document("aws-cn", "cn-north-1", "123456789012");
        let text = document.to_string();
        assert_eq!(text.matches("${iot:Connection.Thing.ThingName}").count(), 3);
        assert!(text.contains("arn:aws-cn:iot:cn-north-1:123456789012:topic/$aws/things/$"), "{text}");
        let actions: Vec<_> = document["Statement"].as_array().unwrap().iter().map(|statement| statement["Action"].to_string()).collect();
        assert_eq!(actions, [r#"["iot:Connect"]"#, r#"["iot:Publish","iot:Receive"]"#, r#"["iot:Subscribe"]"#]);
        assert!(!text.contains("\"*\""));
    }

    #[test]
    fn a_thing_is_named_as_the_service_and_a_file_allow() {
        for (name, is) in [("Thermostat-1:a_b", true), ("", false), ("../key", false), ("a b", false), (&"x".repeat(129), false)] {
            assert_eq!(is_thing(name), is, "{name}");
        }
    }
}
