//! The policies of Verified Permissions. Nothing here decides. Source: Amazon Verified Permissions API Reference.

use serde_json::{Value, json};

use crate::answer::Answer;
use crate::policy_store::PolicyStore;
use crate::state::ControlPlane;

/// When everything was made: nothing here depends on it.
const DATE: &str = "2026-01-01T00:00:00Z";

/// The policies on a page, if the caller does not say.
const PAGE: usize = 10;

fn missing(what: &str) -> Answer {
    Answer::refused(400, "ResourceNotFoundException", format!("{what} is not there"))
}

fn invalid(message: &str) -> Answer {
    Answer::refused(400, "ValidationException", message)
}

impl ControlPlane {
    /// Answers a call of Verified Permissions.
    pub(crate) fn verified_permissions(&mut self, operation: &str, wish: &Value) -> Result<Answer, Answer> {
        let number = self.next_revision();
        let (store_id, text) = (wish["policyStoreId"].as_str().unwrap_or_default(), |name: &str| wish[name].as_str().unwrap_or_default());
        let store = self.stores.get_mut(store_id).ok_or_else(|| missing(&format!("policy store {store_id}")))?;
        let body = match operation {
            "CreatePolicy" => store.create_policy(number, wish)?,
            "GetPolicy" => store.policy(text("policyId"))?,
            "DeletePolicy" => store
                .policies
                .remove(text("policyId"))
                .map(|_| json!({}))
                .ok_or_else(|| missing(&format!("policy {}", text("policyId"))))?,
            "ListPolicies" => store.list_policies(wish)?,
            "CreatePolicyTemplate" => store.create_template(number, wish)?,
            "GetPolicyTemplate" => store.template(text("policyTemplateId"))?,
            "DeletePolicyTemplate" => store.delete_template(text("policyTemplateId"))?,
            "ListPolicyTemplates" => store.list_templates(wish)?,
            other => return Err(Answer::refused(400, "UnknownOperationException", format!("`{other}` is not served here"))),
        };
        Ok(Answer::ok(200, with(body, json!({"policyStoreId": store_id}))))
    }
}

fn with(mut body: Value, more: Value) -> Value {
    if let (Value::Object(body), Value::Object(more)) = (&mut body, more) {
        body.extend(more);
    }
    body
}

fn dated(body: Value) -> Value {
    with(body, json!({"createdDate": DATE, "lastUpdatedDate": DATE}))
}

/// A page of a list, from `nextToken`.
fn page(key: &str, all: Vec<Value>, wish: &Value) -> Result<Value, Answer> {
    let size = wish["maxResults"].as_u64().map_or(PAGE, |size| usize::try_from(size).unwrap_or(usize::MAX));
    if !(1..=50).contains(&size) {
        return Err(invalid("maxResults is 1 to 50"));
    }
    let start = wish["nextToken"].as_str().map_or(Ok(0), str::parse::<usize>).map_err(|_| invalid("nextToken is not one of this list"))?;
    let (count, shown): (usize, Vec<_>) = (all.len(), all.into_iter().skip(start).take(size).collect());
    let end = start + shown.len();
    Ok(json!({key: shown, "nextToken": (end < count).then(|| end.to_string())}))
}

fn kind(definition: &Value) -> &'static str {
    if definition["static"].is_object() { "STATIC" } else { "TEMPLATE_LINKED" }
}

impl PolicyStore {
    /// What an earlier call with the same token made.
    fn repeated(&self, wish: &Value) -> Result<Option<String>, Answer> {
        let Some((id, of)) = wish["clientToken"].as_str().and_then(|token| self.tokens.get(token)) else { return Ok(None) };
        if of != wish {
            return Err(Answer::refused(400, "ConflictException", "the client token was used with other parameters"));
        }
        Ok(Some(id.clone()))
    }

    fn remember(&mut self, wish: &Value, id: &str) {
        if let Some(token) = wish["clientToken"].as_str() {
            self.tokens.insert(token.to_owned(), (id.to_owned(), wish.clone()));
        }
    }

    fn create_policy(&mut self, number: u64, wish: &Value) -> Result<Value, Answer> {
        let definition = &wish["definition"];
        if let Some(id) = self.repeated(wish)? {
            return Ok(dated(json!({"policyId": id, "policyType": kind(definition)})));
        }
        let (statement, linked) = (definition.pointer("/static/statement"), &definition["templateLinked"]);
        match (statement.and_then(Value::as_str), linked["policyTemplateId"].as_str()) {
            (Some(statement), None) if statement.contains(';') => {}
            (None, Some(template)) if self.templates.contains_key(template) => {}
            (None, Some(template)) => return Err(missing(&format!("policy template {template}"))),
            _ => return Err(invalid("a policy is static or linked to a template, and ends with a semicolon")),
        }
        let description = definition.pointer("/static/description").and_then(Value::as_str);
        if description.is_some_and(|text| text.len() > 150) {
            return Err(invalid("a description has at most 150 characters"));
        }
        let id = format!("policy-{number:06}");
        self.policies.insert(id.clone(), definition.clone());
        self.remember(wish, &id);
        Ok(dated(json!({"policyId": id, "policyType": kind(definition)})))
    }

    fn policy(&self, id: &str) -> Result<Value, Answer> {
        let definition = self.policies.get(id).ok_or_else(|| missing(&format!("policy {id}")))?;
        Ok(dated(json!({"policyId": id, "policyType": kind(definition), "definition": definition})))
    }

    fn list_policies(&self, wish: &Value) -> Result<Value, Answer> {
        let wanted = |name: &str| wish["filter"].get(name).filter(|value| !value.is_null());
        let fits = |definition: &Value| {
            let linked = &definition["templateLinked"];
            let of = |name: &str| wanted(name).is_none_or(|wanted| wanted["identifier"] == linked[name]);
            wanted("policyTemplateId").is_none_or(|wanted| *wanted == linked["policyTemplateId"]) && of("principal") && of("resource")
        };
        // A list has no texts.
        let listed = |definition: &Value| match &definition["static"] {
            Value::Null => definition.clone(),
            policy => json!({"static": {"description": policy["description"]}}),
        };
        let of = |(id, definition): (&String, &Value)| {
            dated(json!({"policyStoreId": "store", "policyId": id, "policyType": kind(definition), "definition": listed(definition)}))
        };
        page("policies", self.policies.iter().filter(|(_, definition)| fits(definition)).map(of).collect(), wish)
    }

    fn create_template(&mut self, number: u64, wish: &Value) -> Result<Value, Answer> {
        if let Some(id) = self.repeated(wish)? {
            return Ok(dated(json!({"policyTemplateId": id})));
        }
        let statement = wish["statement"].as_str().unwrap_or_default();
        if !statement.contains("?principal") && !statement.contains("?resource") {
            return Err(invalid("a template has a placeholder"));
        }
        let id = format!("template-{number:06}");
        self.templates.insert(id.clone(), (wish["description"].as_str().map(str::to_owned), statement.to_owned()));
        self.remember(wish, &id);
        Ok(dated(json!({"policyTemplateId": id})))
    }

    fn template(&self, id: &str) -> Result<Value, Answer> {
        let (description, statement) = self.templates.get(id).ok_or_else(|| missing(&format!("policy template {id}")))?;
        Ok(dated(json!({"policyTemplateId": id, "description": description, "statement": statement})))
    }

    /// Deletes all policies that were made from it too.
    fn delete_template(&mut self, id: &str) -> Result<Value, Answer> {
        self.templates.remove(id).ok_or_else(|| missing(&format!("policy template {id}")))?;
        self.policies.retain(|_, definition| definition.pointer("/templateLinked/policyTemplateId").is_none_or(|of| of != id));
        Ok(json!({}))
    }

    fn list_templates(&self, wish: &Value) -> Result<Value, Answer> {
        let of = |(id, (description, _)): (&String, &(Option<String>, String))| {
            dated(json!({"policyStoreId": "store", "policyTemplateId": id, "description": description}))
        };
        page("policyTemplates", self.templates.iter().map(of).collect(), wish)
    }
}
