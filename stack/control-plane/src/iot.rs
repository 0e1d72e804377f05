//! AWS IoT's registry: things, certificates, policies, and what is attached to what. Source: AWS IoT API Reference.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::answer::{Answer, Request};
use crate::arn::{ACCOUNT, REGION};
use crate::registry::{Certificate, Iot, Thing};
use crate::state::ControlPlane;

/// The most certificates on a page.
const PAGE: usize = 250;

/// The beginning of every key on the curve P-256: the curve's identifier and the head of a point of 65 bytes.
const P256_POINT: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04];

fn invalid(message: impl Into<String>) -> Answer {
    Answer::refused(400, "InvalidRequestException", message)
}

fn exists(what: &str) -> Answer {
    Answer::refused(409, "ResourceAlreadyExistsException", format!("{what} already exists with different configuration"))
}

fn in_use(what: &str) -> Answer {
    Answer::refused(409, "DeleteConflictException", what)
}

fn done() -> Answer {
    Answer::ok(200, Value::Null)
}

fn certificate_arn(id: &str) -> String {
    format!("arn:aws:iot:{REGION}:{ACCOUNT}:cert/{id}")
}

/// The id in a certificate's ARN.
fn id_of(arn: &str) -> Result<&str, Answer> {
    let id = arn.strip_prefix(&certificate_arn("")).filter(|id| !id.is_empty());
    id.ok_or_else(|| invalid(format!("Invalid principal: {arn}")))
}

/// 1 to `most` of these characters.
fn is_name(name: &str, most: usize, others: &str) -> bool {
    (1..=most).contains(&name.len()) && name.chars().all(|c| c.is_ascii_alphanumeric() || others.contains(c))
}

impl ControlPlane {
    /// Answers a call of AWS IoT; `None` if it is not one.
    pub(crate) fn iot(&mut self, request: &Request<'_>, parts: &[&str]) -> Option<Result<Answer, Answer>> {
        let (wish, principal) = (request.json(), request.principal.unwrap_or_default());
        Some(match (request.method, parts) {
            ("POST", ["things", name]) => self.create_thing(name, &wish),
            ("GET", ["things", name]) => self.iot.thing(name).map(|thing| Answer::ok(200, shown(name, thing))),
            ("DELETE", ["things", name]) => self.iot.delete_thing(name),
            ("PUT", ["things", name, "principals"]) => self.iot.attach_thing(name, principal),
            ("DELETE", ["things", name, "principals"]) => self.iot.detach_thing(name, principal),
            (method, ["things", name, "shadow"]) => self.iot.shadow(method, name, &wish),
            ("POST", ["certificates"]) => self.create_certificate(request, &wish),
            ("GET", ["certificates"]) => self.iot.list_certificates(request),
            ("GET", ["certificates", id]) => self.iot.certificate(id).map(|found| {
                let (arn, status) = (certificate_arn(id), if found.active { "ACTIVE" } else { "INACTIVE" });
                let shown = json!({"certificateArn": arn, "certificateId": id, "status": status, "certificatePem": found.pem});
                Answer::ok(200, json!({"certificateDescription": shown}))
            }),
            ("PUT", ["certificates", id]) => self.iot.update_certificate(id, request.parameter("newStatus").as_deref()),
            ("DELETE", ["certificates", id]) => self.iot.delete_certificate(id),
            ("POST", ["policies", name]) => self.iot.create_policy(name, &wish),
            ("DELETE", ["policies", name]) => self.iot.delete_policy(name),
            ("PUT", ["target-policies", name]) => self.iot.attach_policy(name, &wish),
            ("POST", ["target-policies", name]) => self.iot.detach_policy(name, &wish),
            _ => return None,
        })
    }

    fn create_thing(&mut self, name: &str, wish: &Value) -> Result<Answer, Answer> {
        let number = self.next_revision();
        if !is_name(name, 128, ":_-") {
            return Err(invalid(format!("Value '{name}' at 'thingName' failed to satisfy constraint: [a-zA-Z0-9:_-]+")));
        }
        let given = wish.pointer("/attributePayload/attributes").and_then(Value::as_object).cloned().unwrap_or_default();
        let attributes: BTreeMap<_, _> =
            given.into_iter().map(|(name, value)| (name, value.as_str().unwrap_or_default().to_owned())).collect();
        let fits =
            |(name, value): (&String, &String)| is_name(name, 128, "_.,@/:#-") && (value.is_empty() || is_name(value, 800, "_.,@/:#-"));
        if attributes.len() > 3 || !attributes.iter().all(fits) {
            return Err(invalid("a thing without a type has at most 3 attributes of [a-zA-Z0-9_.,@/:#-]"));
        }
        let fresh = Thing { id: format!("00000000-0000-4000-a000-{number:012x}"), attributes, certificates: BTreeSet::new() };
        let there = self.iot.things.entry(name.to_owned()).or_insert_with(|| fresh.clone());
        if there.attributes != fresh.attributes {
            return Err(exists(&format!("Thing {name}")));
        }
        Ok(Answer::ok(200, json!({"thingName": name, "thingArn": thing_arn(name), "thingId": there.id})))
    }

    fn create_certificate(&mut self, request: &Request<'_>, wish: &Value) -> Result<Answer, Answer> {
        let (number, made_ms) = (self.next_revision(), self.clock_ms);
        let lines = wish["certificateSigningRequest"].as_str().unwrap_or_default().trim();
        let body = lines.strip_prefix("-----BEGIN CERTIFICATE REQUEST-----").and_then(|rest| rest.split("-----END").next());
        let body: String = body.unwrap_or_default().split_whitespace().collect();
        let asked = STANDARD.decode(body).unwrap_or_default();
        if !asked.windows(P256_POINT.len()).any(|window| window == P256_POINT) {
            return Err(invalid("CSR is not valid: it has no key on the curve P-256"));
        }
        // The same request again makes another certificate.
        let id = format!("{number:064x}");
        let pem = STANDARD.encode([number.to_be_bytes().as_slice(), &asked].concat());
        let pem = format!("-----BEGIN CERTIFICATE-----\n{pem}\n-----END CERTIFICATE-----\n");
        let active = request.parameter("setAsActive").as_deref() == Some("true");
        self.iot.certificates.insert(id.clone(), Certificate { pem: pem.clone(), active, policies: BTreeSet::new(), made_ms });
        Ok(Answer::ok(200, json!({"certificateArn": certificate_arn(&id), "certificateId": id, "certificatePem": pem})))
    }
}

fn thing_arn(name: &str) -> String {
    format!("arn:aws:iot:{REGION}:{ACCOUNT}:thing/{name}")
}

fn shown(name: &str, thing: &Thing) -> Value {
    let (arn, Thing { id, attributes, .. }) = (thing_arn(name), thing);
    json!({"thingName": name, "thingArn": arn, "thingId": id, "attributes": attributes, "version": 1, "defaultClientId": name})
}

impl Iot {
    fn thing(&mut self, name: &str) -> Result<&mut Thing, Answer> {
        self.things.get_mut(name).ok_or_else(|| Answer::not_found(format!("Thing {name}")))
    }

    fn certificate(&mut self, id: &str) -> Result<&mut Certificate, Answer> {
        self.certificates.get_mut(id).ok_or_else(|| Answer::not_found(format!("Certificate {id}")))
    }

    /// Deleting a missing thing succeeds.
    fn delete_thing(&mut self, name: &str) -> Result<Answer, Answer> {
        if self.things.get(name).is_some_and(|thing| !thing.certificates.is_empty()) {
            return Err(invalid(format!("Cannot delete. Thing {name} is still attached to one or more principals")));
        }
        self.things.remove(name);
        Ok(done())
    }

    /// The calls of a classic shadow. A shadow needs no thing in the registry, and outlives it. Source: AWS IoT data plane API Reference.
    fn shadow(&mut self, method: &str, name: &str, wish: &Value) -> Result<Answer, Answer> {
        let missing = || Answer::not_found(format!("No shadow exists with name: '{name}'"));
        match method {
            "GET" => self.shadows.get(name).map(|reported| Answer::ok(200, json!({"state": {"reported": reported}}))).ok_or_else(missing),
            "DELETE" => self.shadows.remove(name).map(|_| Answer::ok(200, json!({"version": 1}))).ok_or_else(missing),
            "POST" => {
                let reported = wish.pointer("/state/reported").and_then(Value::as_object);
                let reported = reported.ok_or_else(|| invalid("Missing required node: state"))?.clone();
                let shadow = self.shadows.entry(name.to_owned()).or_insert_with(|| json!({}));
                if let Value::Object(shadow) = shadow {
                    shadow.extend(reported);
                }
                Ok(Answer::ok(200, wish.clone()))
            }
            _ => Err(Answer::refused(405, "MethodNotAllowedException", "the method is not allowed")),
        }
    }

    fn attach_thing(&mut self, name: &str, principal: &str) -> Result<Answer, Answer> {
        let id = id_of(principal)?;
        self.certificate(id)?;
        self.thing(name)?.certificates.insert(id.to_owned());
        Ok(done())
    }

    fn detach_thing(&mut self, name: &str, principal: &str) -> Result<Answer, Answer> {
        let id = id_of(principal)?;
        self.thing(name)?.certificates.remove(id);
        Ok(done())
    }

    fn list_certificates(&mut self, request: &Request<'_>) -> Result<Answer, Answer> {
        let size = request.parameter("pageSize").and_then(|size| size.parse().ok()).unwrap_or(PAGE);
        if !(1..=PAGE).contains(&size) {
            return Err(invalid("pageSize is 1 to 250"));
        }
        let start = request.parameter("marker").and_then(|marker| marker.parse::<usize>().ok()).unwrap_or_default();
        let of = |(id, found): (&String, &Certificate)| {
            let status = if found.active { "ACTIVE" } else { "INACTIVE" };
            json!({"certificateArn": certificate_arn(id), "certificateId": id, "status": status, "creationDate": found.made_ms as f64 / 1000.0})
        };
        let page: Vec<_> = self.certificates.iter().skip(start).take(size).map(of).collect();
        let end = start + page.len();
        let next = (end < self.certificates.len()).then(|| end.to_string());
        Ok(Answer::ok(200, json!({"certificates": page, "nextMarker": next})))
    }

    fn update_certificate(&mut self, id: &str, status: Option<&str>) -> Result<Answer, Answer> {
        let certificate = self.certificate(id)?;
        certificate.active = match status {
            Some("ACTIVE") => true,
            Some("INACTIVE") => false,
            _ => return Err(invalid("newStatus is ACTIVE or INACTIVE here")),
        };
        Ok(done())
    }

    fn delete_certificate(&mut self, id: &str) -> Result<Answer, Answer> {
        let certificate = self.certificate(id)?;
        if certificate.active {
            return Err(Answer::refused(406, "CertificateStateException", "Certificate must be deactivated (not ACTIVE) before deletion."));
        }
        if !certificate.policies.is_empty() {
            return Err(in_use("Certificate policies must be detached before deletion"));
        }
        if self.things.values().any(|thing| thing.certificates.contains(id)) {
            return Err(in_use("Things must be detached before deletion"));
        }
        self.certificates.remove(id);
        Ok(done())
    }

    fn create_policy(&mut self, name: &str, wish: &Value) -> Result<Answer, Answer> {
        let document = wish["policyDocument"].as_str().unwrap_or_default();
        if !is_name(name, 128, "_+=,.@-") {
            return Err(invalid(format!("Value '{name}' at 'policyName' failed to satisfy constraint: [\\w+=,.@-]+")));
        }
        if !serde_json::from_str(document).is_ok_and(|read: Value| read.get("Statement").is_some_and(Value::is_array)) {
            return Err(Answer::refused(400, "MalformedPolicyException", "Policy document is malformed"));
        }
        if self.policies.contains_key(name) {
            return Err(exists(&format!("Policy {name}")));
        }
        self.policies.insert(name.to_owned(), document.to_owned());
        Ok(Answer::ok(200, json!({"policyName": name, "policyDocument": document, "policyVersionId": "1"})))
    }

    fn delete_policy(&mut self, name: &str) -> Result<Answer, Answer> {
        if self.certificates.values().any(|certificate| certificate.policies.contains(name)) {
            return Err(in_use("The policy cannot be deleted as the policy is attached to one or more principals"));
        }
        self.policies.remove(name).map(|_| done()).ok_or_else(|| Answer::not_found(format!("Policy {name}")))
    }

    fn attach_policy(&mut self, name: &str, wish: &Value) -> Result<Answer, Answer> {
        let id = id_of(wish["target"].as_str().unwrap_or_default())?;
        if !self.policies.contains_key(name) {
            return Err(Answer::not_found(format!("Policy {name}")));
        }
        self.certificate(id)?.policies.insert(name.to_owned());
        Ok(done())
    }

    fn detach_policy(&mut self, name: &str, wish: &Value) -> Result<Answer, Answer> {
        let id = id_of(wish["target"].as_str().unwrap_or_default())?;
        self.certificate(id)?.policies.remove(name);
        Ok(done())
    }
}
