//! Users and groups of Cognito.

use aws_sdk_cognitoidentityprovider::types::{AttributeType, MessageActionType};

use super::error::SeedError;
use super::item::{Item, PROFILE, Undone, mark};
use super::services::{Services, if_there, unless};
use crate::call::CallError;
use crate::secret::Variables;

/// What is there under a user's name.
struct Found {
    sub: Option<String>,
    profile: Option<String>,
}

fn read<E>(
    call: &'static str,
    of: &str,
    error: &aws_sdk_lambda::error::SdkError<E, aws_sdk_lambda::config::http::HttpResponse>,
) -> CallError
where
    E: aws_sdk_lambda::error::ProvideErrorMetadata,
{
    CallError::read(call, of, error, &Variables::default())
}

fn value(attributes: &[AttributeType], name: &str) -> Option<String> {
    attributes.iter().find(|attribute| attribute.name() == name).and_then(|attribute| attribute.value().map(str::to_owned))
}

impl Services {
    async fn user(&self, pool: &str, name: &str) -> Result<Option<Found>, CallError> {
        let read = self.patience.insist(|| async {
            let found = self.cognito.admin_get_user().user_pool_id(pool).username(name).send().await;
            found.map_err(|error| read("AdminGetUser", name, &error))
        });
        let found = if_there(read.await)?;
        Ok(found.map(|user| Found { sub: value(user.user_attributes(), "sub"), profile: value(user.user_attributes(), PROFILE) }))
    }

    /// Creates a user with a permanent password; returns the `sub`.
    pub(super) async fn create_user(
        &self,
        item: &Item,
        user: (&str, &str, &[String]),
        id: &str,
        password: &str,
    ) -> Result<Option<String>, SeedError> {
        let (pool, name, groups) = user;
        let failed = |cause| SeedError::call(item, cause);
        let profile = AttributeType::builder().name(PROFILE).value(mark(id)).build();
        let profile = profile.map_err(|error| failed(CallError::unsendable("AdminCreateUser", name, &error)))?;
        let created = self.patience.insist(|| async {
            let call = self.cognito.admin_create_user().user_pool_id(pool).username(name).user_attributes(profile.clone());
            let created = call.message_action(MessageActionType::Suppress).send().await;
            unless(created.map_err(|error| read("AdminCreateUser", name, &error)), "UsernameExistsException")
        });
        let sub = match created.await.map_err(failed)? {
            Some(created) => created.user().and_then(|user| value(user.attributes(), "sub")),
            // The answer to an earlier try may have been lost.
            None => match self.user(pool, name).await.map_err(failed)? {
                Some(found) if found.profile.as_deref() == Some(mark(id).as_str()) => found.sub,
                _ => return Err(SeedError::Taken(item.to_string())),
            },
        };
        let hidden = Variables::from([("PASSWORD", password)]);
        let set = self.patience.insist(|| async {
            let call = self.cognito.admin_set_user_password().user_pool_id(pool).username(name).password(password).permanent(true);
            call.send().await.map_err(|error| CallError::read("AdminSetUserPassword", name, &error, &hidden))
        });
        set.await.map_err(failed)?;
        for group in groups {
            let added = self.patience.insist(|| async {
                let call = self.cognito.admin_add_user_to_group().user_pool_id(pool).username(name).group_name(group);
                call.send().await.map_err(|error| read("AdminAddUserToGroup", name, &error))
            });
            added.await.map_err(failed)?;
        }
        Ok(sub)
    }

    /// Deletes a user. One who was created again by somebody else is another user.
    pub(super) async fn delete_user(&self, pool: &str, name: &str, id: &str, sub: Option<&str>) -> Result<Undone, CallError> {
        let Some(found) = self.user(pool, name).await? else { return Ok(Undone::Gone) };
        let is_marked = found.profile.as_deref() == Some(mark(id).as_str());
        let is_same = sub.is_some() && found.sub.as_deref() == sub;
        match (is_marked, is_same) {
            (false, false) => return Ok(Undone::Gone),
            (false, true) => return Ok(Undone::Changed(format!("somebody changed its attribute `{PROFILE}`"))),
            (true, _) => {}
        }
        let deleted = self.patience.insist(|| async {
            let deleted = self.cognito.admin_delete_user().user_pool_id(pool).username(name).send().await;
            if_there(deleted.map_err(|error| read("AdminDeleteUser", name, &error)))
        });
        deleted.await.map(|deleted| if deleted.is_some() { Undone::Deleted } else { Undone::Gone })
    }

    /// The description of a group, if there is one; `None` without a group.
    async fn group(&self, pool: &str, name: &str) -> Result<Option<Option<String>>, CallError> {
        let read = self.patience.insist(|| async {
            let found = self.cognito.get_group().user_pool_id(pool).group_name(name).send().await;
            found.map_err(|error| read("GetGroup", name, &error))
        });
        let found = if_there(read.await)?;
        Ok(found.map(|found| found.group().and_then(|group| group.description().map(str::to_owned))))
    }

    /// Whether the pool has a group.
    pub(super) async fn has_group(&self, pool: &str, name: &str) -> Result<bool, CallError> {
        self.group(pool, name).await.map(|found| found.is_some())
    }

    pub(super) async fn create_group(&self, item: &Item, pool: &str, name: &str, id: &str) -> Result<(), SeedError> {
        let failed = |cause| SeedError::call(item, cause);
        let created = self.patience.insist(|| async {
            let call = self.cognito.create_group().user_pool_id(pool).group_name(name).description(mark(id));
            unless(call.send().await.map_err(|error| read("CreateGroup", name, &error)), "GroupExistsException")
        });
        if created.await.map_err(failed)?.is_none() && self.group(pool, name).await.map_err(failed)?.flatten() != Some(mark(id)) {
            return Err(SeedError::Taken(item.to_string()));
        }
        Ok(())
    }

    pub(super) async fn delete_group(&self, pool: &str, name: &str, id: &str, created: bool) -> Result<Undone, CallError> {
        let Some(description) = self.group(pool, name).await? else { return Ok(Undone::Gone) };
        match (description == Some(mark(id)), created) {
            (false, false) => return Ok(Undone::Gone),
            (false, true) => return Ok(Undone::Changed("somebody changed its description".to_owned())),
            (true, _) => {}
        }
        let deleted = self.patience.insist(|| async {
            let deleted = self.cognito.delete_group().user_pool_id(pool).group_name(name).send().await;
            if_there(deleted.map_err(|error| read("DeleteGroup", name, &error)))
        });
        deleted.await.map(|deleted| if deleted.is_some() { Undone::Deleted } else { Undone::Gone })
    }
}
