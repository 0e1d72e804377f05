//! A plan in an object of S3: `GetObject`, which returns the body only if the object has changed
//! (`If-None-Match`). `Last-Modified` gives its age.

use aws_config::SdkConfig;
use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use faults::plan::LARGEST_PLAN;

use crate::age::{Asked, Clock};
use crate::reading::Reading;

/// The object, and its entity tag when it was last read.
#[derive(Debug)]
pub struct Object {
    client: Client,
    bucket: String,
    key: String,
    clock: Clock,
    seen: Option<String>,
}

impl Object {
    /// The object called `key` in `bucket`. The bucket is named in the path if it cannot be part of
    /// the host name: behind a custom endpoint, or if dots in its name do not match the
    /// certificate.
    pub fn new(config: &SdkConfig, bucket: String, key: String) -> Self {
        let elsewhere = ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"].iter().any(|name| std::env::var_os(name).is_some());
        let by_path = elsewhere || bucket.contains('.');
        let clock = Clock::default();
        let config = aws_sdk_s3::config::Builder::from(config).force_path_style(by_path).interceptor(clock.clone()).build();
        Self { client: Client::from_conf(config), bucket, key, clock, seen: None }
    }

    /// Reads it once.
    pub async fn read(&mut self) -> Reading {
        let asked = Asked::now();
        let request = self.client.get_object().bucket(&self.bucket).key(&self.key);
        let answer = match request.set_if_none_match(self.seen.clone()).send().await {
            Ok(answer) => answer,
            // 304 Not Modified is an error to the SDK.
            Err(error) if error.raw_response().is_some_and(|answer| answer.status().as_u16() == 304) => return Reading::Same,
            Err(error) => {
                let reading = Reading::of_error(&error);
                if matches!(reading, Reading::Missing(_)) {
                    self.seen = None;
                }
                return reading;
            }
        };
        let Some(plan) = whole(answer.body).await else {
            return Reading::Unanswered("the plan's object breaks off".to_owned());
        };
        self.seen = answer.e_tag;
        Reading::Found { plan, taken: self.clock.taken(asked, answer.last_modified) }
    }
}

/// The body, up to the largest plan: one byte more is enough to see that it is too long.
async fn whole(mut body: ByteStream) -> Option<Vec<u8>> {
    let mut plan = Vec::new();
    while plan.len() <= LARGEST_PLAN {
        match body.next().await {
            Some(Ok(piece)) => plan.extend_from_slice(&piece),
            Some(Err(_)) => return None,
            None => return Some(plan),
        }
    }
    plan.truncate(LARGEST_PLAN + 1);
    Some(plan)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn no_more_is_kept_than_a_plan_may_have() {
        for (length, kept) in [(0, 0), (1000, 1000), (LARGEST_PLAN, LARGEST_PLAN), (5_000_000, LARGEST_PLAN + 1)] {
            assert_eq!(whole(ByteStream::from(vec![b'x'; length])).await.map(|plan| plan.len()), Some(kept), "{length}");
        }
    }
}
