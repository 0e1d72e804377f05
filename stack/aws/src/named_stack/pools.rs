//! A stack's user pools with their app clients.

use aws_config::SdkConfig;
use aws_sdk_cognitoidentityprovider::Client;
use run_folder::Pool;

use super::error::ResolveError;
use super::resource::{Kind, Resources};
use crate::call::CallError;
use crate::endpoints::{Endpoints, Service};
use crate::patience::Patience;
use crate::secret::Variables;

/// The most clients of one page.
const PAGE: i32 = 60;

/// Reads user pools.
pub struct Pools<'a> {
    client: Client,
    patience: Patience,
    endpoints: &'a Endpoints,
}

impl<'a> Pools<'a> {
    /// Calls use `config`.
    pub fn new(config: &SdkConfig, patience: Patience, endpoints: &'a Endpoints) -> Self {
        Self { client: Client::new(config), patience, endpoints }
    }

    /// All pools of a stack.
    ///
    /// # Errors
    /// The error of the last call.
    pub async fn read(&self, resources: &Resources) -> Result<Vec<Pool>, ResolveError> {
        let own = resources.physical(Kind::UserPoolClient);
        let mut pools = Vec::new();
        for id in resources.physical(Kind::UserPool) {
            let mut clients = in_order(self.clients(id).await?, &own).into_iter();
            pools.push(Pool {
                name: self.name(id).await?,
                id: id.to_owned(),
                client_id: clients.next().unwrap_or_default(),
                other_client_id: clients.next().unwrap_or_default(),
                issuer: format!("https://{}/{id}", self.endpoints.host(Service::COGNITO)),
            });
        }
        Ok(pools)
    }

    async fn name(&self, id: &str) -> Result<String, ResolveError> {
        let call = || async {
            let call = self.client.describe_user_pool().user_pool_id(id);
            call.send().await.map_err(|error| CallError::read("DescribeUserPool", id, &error, &Variables::default()))
        };
        let described = self.patience.insist(call).await?;
        let name = described.user_pool().and_then(|pool| pool.name()).map(str::to_owned);
        name.ok_or_else(|| ResolveError::Incomplete { call: "DescribeUserPool", of: id.to_owned(), what: "`Name`" })
    }

    async fn clients(&self, pool: &str) -> Result<Vec<String>, CallError> {
        let (mut all, mut token) = (Vec::new(), None);
        loop {
            let page = self.patience.insist(|| async {
                let call = self.client.list_user_pool_clients().user_pool_id(pool).max_results(PAGE).set_next_token(token.clone());
                call.send().await.map_err(|error| CallError::read("ListUserPoolClients", pool, &error, &Variables::default()))
            });
            let page = page.await?;
            all.extend(page.user_pool_clients().iter().filter_map(|client| client.client_id().map(str::to_owned)));
            token = page.next_token().filter(|token| !token.is_empty()).map(str::to_owned);
            if token.is_none() {
                return Ok(all);
            }
        }
    }
}

/// The clients of a pool, those that the stack declares first and in its order.
fn in_order(of_the_pool: Vec<String>, declared: &[&str]) -> Vec<String> {
    let (own, mut others): (Vec<_>, Vec<_>) = of_the_pool.into_iter().partition(|client| declared.contains(&client.as_str()));
    let mut all: Vec<_> =
        declared.iter().filter(|client| own.iter().any(|own| own == *client)).map(|client| (*client).to_owned()).collect();
    all.append(&mut others);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clients_of_the_stack_come_first() {
        let pool = || ["other", "web", "app"].map(str::to_owned).into();
        assert_eq!(in_order(pool(), &["app", "of-another-pool", "web"]), ["app", "web", "other"]);
        assert_eq!(in_order(pool(), &[]), ["other", "web", "app"]);
    }
}
