//! Users who stay signed in, however long the load is. No token ever reaches an event, a log or a report.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::error::TrafficError;
use crate::tokens::SignIn;

/// How many sign in at a time: user pools limit how many may in a second.
const AT_ONCE: usize = 16;

/// After a sign-in that failed, and at least between two of one user.
const PAUSE: Duration = Duration::from_secs(1);

/// Users with their access tokens.
pub struct StaySignedIn {
    sign_in: SignIn,
    client: String,
    users: Vec<String>,
    tokens: Mutex<HashMap<String, Arc<str>>>,
}

impl StaySignedIn {
    /// Signs all of them in at `client`; returns them, and how long the first of the tokens to end is good for.
    ///
    /// # Errors
    /// Where one cannot sign in.
    pub async fn begin(sign_in: SignIn, client: &str, users: Vec<String>) -> Result<(Arc<Self>, Duration), TrafficError> {
        let all = Arc::new(Self { sign_in, client: client.to_owned(), users, tokens: Mutex::default() });
        let good_for = all.renew().await?;
        Ok((all, good_for))
    }

    /// The access token of a user; `None` if there is no such user.
    pub fn token(&self, user: &str) -> Option<Arc<str>> {
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner).get(user).cloned()
    }

    /// Renews the tokens when a quarter of their time is left, until it is dropped. A sign-in that fails is tried again: a fault may
    /// strike it.
    pub async fn stay(self: Arc<Self>, mut good_for: Duration) {
        loop {
            tokio::time::sleep((good_for * 3 / 4).max(PAUSE)).await;
            good_for = loop {
                match self.renew().await {
                    Ok(good_for) => break good_for,
                    Err(_) => tokio::time::sleep(PAUSE).await,
                }
            };
        }
    }

    async fn renew(&self) -> Result<Duration, TrafficError> {
        let mut good_for = Duration::MAX;
        for some in self.users.chunks(AT_ONCE) {
            let new = futures::future::try_join_all(some.iter().map(|user| self.sign_in.tokens(&self.client, user))).await?;
            let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
            for (user, new) in some.iter().zip(new) {
                good_for = good_for.min(new.good_for());
                tokens.insert(user.clone(), new.access_token.into());
            }
        }
        Ok(good_for)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    /// A user pool whose tokens are numbers and good for a second; every third sign-in fails.
    async fn pool(count: Arc<AtomicU64>) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        tokio::spawn(async move {
            while let Ok((mut wire, _)) = listener.accept().await {
                let number = count.fetch_add(1, SeqCst);
                let mut request = [0; 4_096];
                let _ = wire.read(&mut request).await;
                let body = format!(r#"{{"AuthenticationResult":{{"AccessToken":"{number}","IdToken":"i","ExpiresIn":1}}}}"#);
                let status = if number % 3 == 2 { "500 -" } else { "200 OK" };
                let answer = format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}", body.len());
                let _ = wire.write_all(answer.as_bytes()).await;
            }
        });
        address
    }

    #[tokio::test]
    async fn tokens_are_renewed_before_they_end_and_a_sign_in_that_fails_is_tried_again() {
        let count = Arc::new(AtomicU64::new(0));
        let sign_in = SignIn::of(&pool(Arc::clone(&count)).await, "secret");
        let (all, good_for) = StaySignedIn::begin(sign_in, "client", vec!["ann".to_owned(), "bob".to_owned()]).await.unwrap();
        assert_eq!(good_for, Duration::from_secs(1));
        let number = |user: &str| all.token(user).unwrap().parse::<u64>().unwrap();
        assert!(number("ann") < 2 && number("bob") < 2 && all.token("eve").is_none());
        let staying = tokio::spawn(Arc::clone(&all).stay(good_for));
        let begun = std::time::Instant::now();
        while number("ann") < 2 || number("bob") < 2 {
            assert!(begun.elapsed() < Duration::from_secs(60), "no new token after {} sign-ins", count.load(SeqCst));
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        staying.abort();
    }
}
