//! Policies of Verified Permissions: only those that the store does not contain already.

use aws_sdk_verifiedpermissions::types::{
    EntityIdentifier, EntityReference, PolicyDefinition, PolicyDefinitionDetail, PolicyDefinitionItem, PolicyFilter, PolicyItem,
    StaticPolicyDefinition, TemplateLinkedPolicyDefinition,
};
use run_folder::deployment::Link;

use super::error::SeedError;
use super::item::{Item, Undone, mark};
use super::services::{Services, if_there};
use crate::call::CallError;
use crate::secret::Variables;

/// What a store contains.
#[derive(Debug, Default)]
pub(super) struct Contents {
    /// The texts of static policies, [normalised](normalised).
    pub policies: Vec<String>,
    /// The templates: id and text.
    pub templates: Vec<(String, String)>,
    /// The linked policies: template's id, principal, resource.
    pub links: Vec<(String, Option<Entity>, Option<Entity>)>,
}

/// Entity type and id.
type Entity = (String, String);

impl Contents {
    /// The id of the template with this text.
    pub(super) fn template(&self, statement: &str) -> Option<&str> {
        let wanted = normalised(statement);
        self.templates.iter().find(|(_, text)| *text == wanted).map(|(id, _)| id.as_str())
    }

    pub(super) fn has_policy(&self, statement: &str) -> bool {
        self.policies.contains(&normalised(statement))
    }

    pub(super) fn has_link(&self, template: &str, link: &Link) -> bool {
        let wanted = (template.to_owned(), Some(link.principal.clone()), Some(link.resource.clone()));
        self.links.contains(&wanted)
    }
}

/// A Cedar text without comments and spaces, which do not change its meaning outside strings.
pub(super) fn normalised(statement: &str) -> String {
    let (mut text, mut rest) = (String::new(), statement.chars().peekable());
    let (mut in_string, mut apart) = (false, false);
    while let Some(letter) = rest.next() {
        match letter {
            '/' if !in_string && rest.peek() == Some(&'/') => {
                rest.by_ref().take_while(|letter| *letter != '\n').for_each(drop);
                apart = true;
                continue;
            }
            _ if !in_string && letter.is_whitespace() => {
                apart = true;
                continue;
            }
            '\\' if in_string => {
                text.push(letter);
                text.extend(rest.next());
                continue;
            }
            '"' => in_string = !in_string,
            _ => {}
        }
        // Between two words a space matters.
        let is_word = |letter: char| letter.is_alphanumeric() || letter == '_';
        if std::mem::take(&mut apart) && is_word(letter) && text.chars().next_back().is_some_and(is_word) {
            text.push(' ');
        }
        text.push(letter);
    }
    text
}

macro_rules! insist {
    ($services:expr, $call:literal, $of:expr, $request:expr) => {
        $services
            .patience
            .insist(|| async { $request.send().await.map_err(|error| CallError::read($call, $of, &error, &Variables::default())) })
            .await
    };
}

fn entity(entity: Option<&EntityIdentifier>) -> Option<Entity> {
    entity.map(|entity| (entity.entity_type().to_owned(), entity.entity_id().to_owned()))
}

fn identifier((kind, id): &Entity, call: &'static str) -> Result<EntityIdentifier, CallError> {
    let built = EntityIdentifier::builder().entity_type(kind).entity_id(id).build();
    built.map_err(|error| CallError::unsendable(call, id, &error))
}

impl Services {
    async fn listed(&self, store: &str, filter: Option<&PolicyFilter>) -> Result<Vec<PolicyItem>, CallError> {
        let (mut all, mut next) = (Vec::new(), None);
        loop {
            let call = || self.policies.list_policies().policy_store_id(store).set_filter(filter.cloned()).set_next_token(next.clone());
            let page = insist!(self, "ListPolicies", store, call())?;
            all.extend(page.policies().iter().cloned());
            next = page.next_token().map(str::to_owned);
            if next.is_none() {
                return Ok(all);
            }
        }
    }

    /// The templates of a store: id and description.
    async fn templates(&self, store: &str) -> Result<Vec<(String, Option<String>)>, CallError> {
        let (mut all, mut next) = (Vec::new(), None);
        loop {
            let call = || self.policies.list_policy_templates().policy_store_id(store).set_next_token(next.clone());
            let page = insist!(self, "ListPolicyTemplates", store, call())?;
            let of = |template: &aws_sdk_verifiedpermissions::types::PolicyTemplateItem| {
                (template.policy_template_id().to_owned(), template.description().map(str::to_owned))
            };
            all.extend(page.policy_templates().iter().map(of));
            next = page.next_token().map(str::to_owned);
            if next.is_none() {
                return Ok(all);
            }
        }
    }

    /// The text and the description of a static policy.
    async fn policy(&self, store: &str, id: &str) -> Result<Option<(String, Option<String>)>, CallError> {
        let read = insist!(self, "GetPolicy", id, self.policies.get_policy().policy_store_id(store).policy_id(id));
        Ok(if_there(read)?.and_then(|read| match read.definition() {
            Some(PolicyDefinitionDetail::Static(policy)) => Some((policy.statement().to_owned(), policy.description().map(str::to_owned))),
            _ => None,
        }))
    }

    /// The text and the description of a template.
    async fn template(&self, store: &str, id: &str) -> Result<Option<(String, Option<String>)>, CallError> {
        let read =
            insist!(self, "GetPolicyTemplate", id, self.policies.get_policy_template().policy_store_id(store).policy_template_id(id));
        Ok(if_there(read)?.map(|read| (read.statement().to_owned(), read.description().map(str::to_owned))))
    }

    /// What a store contains now.
    pub(super) async fn contents(&self, store: &str) -> Result<Contents, CallError> {
        let mut contents = Contents::default();
        for policy in self.listed(store, None).await? {
            match policy.definition() {
                Some(PolicyDefinitionItem::TemplateLinked(link)) => {
                    let (principal, resource) = (entity(link.principal()), entity(link.resource()));
                    contents.links.push((link.policy_template_id().to_owned(), principal, resource));
                }
                _ => contents.policies.extend(self.policy(store, policy.policy_id()).await?.map(|(text, _)| normalised(&text))),
            }
        }
        for (id, _) in self.templates(store).await? {
            contents.templates.extend(self.template(store, &id).await?.map(|(text, _)| (id, normalised(&text))));
        }
        Ok(contents)
    }

    /// Creates a static policy; returns its id.
    pub(super) async fn create_policy(&self, item: &Item, store: &str, statement: &str, token: &Token<'_>) -> Result<String, SeedError> {
        let call = "CreatePolicy";
        let built = StaticPolicyDefinition::builder().statement(statement).description(mark(token.id)).build();
        let built = built.map_err(|error| SeedError::call(item, CallError::unsendable(call, store, &error)))?;
        self.create(item, store, PolicyDefinition::Static(built), token).await
    }

    /// Creates a policy from a template; returns its id.
    pub(super) async fn create_link(&self, item: &Item, link: &LinkOf<'_>, token: &Token<'_>) -> Result<String, SeedError> {
        let call = "CreatePolicy";
        let built = || {
            let (principal, resource) = (identifier(link.principal, call)?, identifier(link.resource, call)?);
            let built = TemplateLinkedPolicyDefinition::builder().policy_template_id(link.template).principal(principal).resource(resource);
            built.build().map_err(|error| CallError::unsendable(call, link.store, &error))
        };
        let definition = PolicyDefinition::TemplateLinked(built().map_err(|cause| SeedError::call(item, cause))?);
        self.create(item, link.store, definition, token).await
    }

    async fn create(&self, item: &Item, store: &str, definition: PolicyDefinition, token: &Token<'_>) -> Result<String, SeedError> {
        let call = || self.policies.create_policy().policy_store_id(store).definition(definition.clone()).client_token(token.text());
        let created = insist!(self, "CreatePolicy", store, call());
        created.map(|created| created.policy_id().to_owned()).map_err(|cause| SeedError::call(item, cause))
    }

    /// Creates a template; returns its id.
    pub(super) async fn create_template(&self, item: &Item, store: &str, statement: &str, token: &Token<'_>) -> Result<String, SeedError> {
        let call = || self.policies.create_policy_template().policy_store_id(store).statement(statement);
        let created = insist!(self, "CreatePolicyTemplate", store, call().description(mark(token.id)).client_token(token.text()));
        created.map(|created| created.policy_template_id().to_owned()).map_err(|cause| SeedError::call(item, cause))
    }

    /// Deletes a static policy. If its id is not known, it is found by the mark and the text.
    pub(super) async fn delete_policy(&self, store: &str, statement: &str, id: &str, known: Option<&str>) -> Result<Undone, CallError> {
        let candidates = match known {
            Some(known) => vec![known.to_owned()],
            None => self.marked(store, id).await?,
        };
        let mut undone = Undone::Gone;
        for policy in candidates {
            let Some((text, description)) = self.policy(store, &policy).await? else { continue };
            if normalised(&text) != normalised(statement) || description != Some(mark(id)) {
                // Another policy of the seed has the same mark.
                undone = if known.is_some() { Undone::Changed("somebody changed it since".to_owned()) } else { undone };
                continue;
            }
            undone = self.delete_by_id(store, &policy).await?;
        }
        Ok(undone)
    }

    async fn marked(&self, store: &str, id: &str) -> Result<Vec<String>, CallError> {
        let listed = self.listed(store, None).await?;
        let is_marked = |policy: &&PolicyItem| {
            let of = policy.definition().and_then(|definition| definition.as_static().ok());
            of.is_some_and(|of| of.description() == Some(mark(id).as_str()))
        };
        Ok(listed.iter().filter(is_marked).map(|policy| policy.policy_id().to_owned()).collect())
    }

    async fn delete_by_id(&self, store: &str, policy: &str) -> Result<Undone, CallError> {
        let deleted = insist!(self, "DeletePolicy", policy, self.policies.delete_policy().policy_store_id(store).policy_id(policy));
        Ok(if if_there(deleted)?.is_some() { Undone::Deleted } else { Undone::Gone })
    }

    /// Deletes a policy made from a template. If its id is not known, it is the only one of this template, principal and resource: before the seed
    /// there was none.
    pub(super) async fn delete_link(&self, link: &LinkOf<'_>, known: Option<&str>) -> Result<Undone, CallError> {
        if let Some(known) = known {
            return self.delete_by_id(link.store, known).await;
        }
        let call = "ListPolicies";
        let of = |entity| Ok::<_, CallError>(EntityReference::Identifier(identifier(entity, call)?));
        let filter = PolicyFilter::builder().policy_template_id(link.template);
        let filter = filter.principal(of(link.principal)?).resource(of(link.resource)?).build();
        match if_there(self.listed(link.store, Some(&filter)).await)?.unwrap_or_default().as_slice() {
            [] => Ok(Undone::Gone),
            [one] => self.delete_by_id(link.store, one.policy_id()).await,
            more => Ok(Undone::Changed(format!("there are {} policies of its content; delete one of them", more.len()))),
        }
    }

    /// Deletes a template. Its own policies were deleted before; if there are others, somebody uses it.
    pub(super) async fn delete_template(&self, store: &str, statement: &str, id: &str, known: Option<&str>) -> Result<Undone, CallError> {
        let candidates = match known {
            Some(known) => vec![known.to_owned()],
            None => {
                let all = self.templates(store).await?.into_iter();
                all.filter(|(_, description)| *description == Some(mark(id))).map(|(id, _)| id).collect()
            }
        };
        let mut undone = Undone::Gone;
        for template in candidates {
            let Some((text, description)) = self.template(store, &template).await? else { continue };
            if normalised(&text) != normalised(statement) || description != Some(mark(id)) {
                undone = if known.is_some() { Undone::Changed("somebody changed it since".to_owned()) } else { undone };
                continue;
            }
            // Deleting a template deletes all policies that were made from it.
            if !self.listed(store, Some(&PolicyFilter::builder().policy_template_id(&template).build())).await?.is_empty() {
                return Ok(Undone::Changed("somebody made another policy from it".to_owned()));
            }
            let call = || self.policies.delete_policy_template().policy_store_id(store).policy_template_id(&template);
            let deleted = insist!(self, "DeletePolicyTemplate", &template, call());
            undone = if if_there(deleted)?.is_some() { Undone::Deleted } else { Undone::Gone };
        }
        Ok(undone)
    }
}

/// What identifies a creation: the service carries it out once, however often it is asked within eight hours.
pub(super) struct Token<'a> {
    /// The seed's id.
    pub id: &'a str,
    /// The number in its journal.
    pub number: u32,
}

impl Token<'_> {
    fn text(&self) -> String {
        format!("brownout-{}-{}", self.id, self.number)
    }
}

/// A policy made from a template, by the template's id.
pub(super) struct LinkOf<'a> {
    pub store: &'a str,
    pub template: &'a str,
    pub principal: &'a Entity,
    pub resource: &'a Entity,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_mean_the_same_are_equal_and_others_are_not() {
        let text = "// Owners.\npermit (\n  principal,\n  action == A::\"Get  it\", // always\n  resource\n)\nwhen { resource.owner == principal };\n";
        let same = "permit(principal,action==A::\"Get  it\",resource) when{resource.owner==principal};";
        assert_eq!(normalised(text), normalised(same));
        for (one, other) in [
            ("a::\"x y\"", "a::\"xy\""),
            ("a::\"// x\"", "a::\"\""),
            ("a in b", "ain b"),
            (r#""a\" b" // c"#, r#""a\"b""#),
            ("permit(principal,action,resource);", "forbid(principal,action,resource);"),
        ] {
            assert_ne!(normalised(one), normalised(other), "{one}");
        }
    }
}
