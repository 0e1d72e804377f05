//! The two buckets: mail is read from one, attachments are stored in the other, each with a link
//! that works for the promised time. At AWS a link also ends with the credentials that signed it. A
//! link that must outlive a role's session needs credentials that do not expire with the session.

use super::failure::Failure;
use super::file_name::key;
use super::mail::Attachment;
use aws_config::SdkConfig;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::Builder;
use aws_sdk_s3::presigning::PresigningConfig;
use aws_sdk_s3::primitives::ByteStream;
use functions::failure::DependencyFailure;
use hyper::body::Bytes;
use std::time::Duration;

const SERVICE: &str = "s3";

/// SES takes 40 MB. A larger object was not put there by SES, and would not fit into the function's 240 MB.
const LARGEST: usize = 48 * 1024 * 1024;

pub(super) struct Store {
    client: Client,
    incoming: String,
    attachments: String,
    life: Duration,
    /// Whether two attachments of the same name are two objects.
    numbered: bool,
}

/// An attachment in its bucket.
#[derive(Debug, Clone)]
pub(super) struct Stored {
    pub(super) name: String,
    pub(super) content_type: String,
    pub(super) size: usize,
    pub(super) key: String,
    pub(super) link: String,
    /// `Some` if inline content is wanted and this one is small enough.
    pub(super) content: Option<Bytes>,
}

impl Store {
    pub(super) fn new(config: &SdkConfig, incoming: String, attachments: String, life: Duration, numbered: bool) -> Self {
        // With the bucket in the path, one address serves all buckets, at AWS and locally.
        let client = Client::from_conf(Builder::from(config).force_path_style(true).build());
        Self { client, incoming, attachments, life, numbered }
    }

    /// The mail with that id, unchanged.
    pub(super) async fn mail(&self, id: &str) -> Result<Bytes, Failure> {
        let found = self.client.get_object().bucket(&self.incoming).key(id).send().await;
        let found = found.map_err(|error| DependencyFailure::of(SERVICE, &error))?;
        let size = found.content_length().and_then(|size| usize::try_from(size).ok()).unwrap_or_default();
        let (mut raw, mut body) = (Vec::new(), found.body);
        if size <= LARGEST {
            raw.reserve_exact(size);
        }
        while let Some(piece) = body.next().await {
            let piece = piece.map_err(|_| DependencyFailure::new(SERVICE, "the object broke off"))?;
            if size.max(raw.len() + piece.len()) > LARGEST {
                return Err(Failure::TooLarge);
            }
            raw.extend_from_slice(&piece);
        }
        Ok(raw.into())
    }

    /// Stores the attachments of a mail one after the other and frees each before the next. Up to
    /// `inline` bytes of content in total stay in memory.
    pub(super) async fn keep(&self, id: &str, attachments: Vec<Attachment>, inline: usize) -> Result<Vec<Stored>, DependencyFailure> {
        let (mut stored, mut left) = (Vec::with_capacity(attachments.len()), inline);
        for (n, attachment) in attachments.into_iter().enumerate() {
            let Attachment { name, content_type, content } = attachment;
            let (key, size) = (key(id, n + 1, &name, self.numbered), content.len());
            let fits = left.checked_sub(size);
            left = fits.unwrap_or(left);
            let put = self.client.put_object().bucket(&self.attachments).key(&key).content_type(&content_type);
            let kept = fits.filter(|_| inline > 0).map(|_| content.clone());
            put.body(ByteStream::from(content)).send().await.map_err(|error| DependencyFailure::of(SERVICE, &error))?;
            let link = self.link(&key).await?;
            stored.push(Stored { name, content_type, size, key, link, content: kept });
        }
        Ok(stored)
    }

    async fn link(&self, key: &str) -> Result<String, DependencyFailure> {
        let life = PresigningConfig::expires_in(self.life).map_err(|_| DependencyFailure::new(SERVICE, "no link lives that long"))?;
        let signed = self.client.get_object().bucket(&self.attachments).key(key).presigned(life).await;
        Ok(signed.map_err(|error| DependencyFailure::of(SERVICE, &error))?.uri().to_owned())
    }
}
