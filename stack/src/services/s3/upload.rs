//! Receives a body: stores it piece by piece, computes its digests meanwhile and compares them with
//! what the sender promised.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http_body_util::BodyExt;
use hyper::HeaderMap;
use hyper::StatusCode;
use s3s::checksum::ChecksumHasher;
use s3s::crypto::{Checksum as _, Md5};
use s3s::dto::{Checksum, PutObjectInput, StreamingBlob, UploadPartInput};
use s3s::{Body, S3Error, S3ErrorCode, S3Result, TrailingHeaders, s3_error};

use super::content::{Content, Spool, Writer};

/// A complete body.
pub struct Upload {
    /// The content.
    pub content: Content,
    /// Its MD5.
    pub md5: Vec<u8>,
    /// The checksums that its sender wanted checked.
    pub checksum: Checksum,
}

/// A body that is to be read, and what its sender promised about it.
pub struct Sent {
    body: Option<StreamingBlob>,
    md5: Option<String>,
    promised: Checksum,
}

/// Reads the body of a request to its end and checks it.
pub async fn read(headers: &HeaderMap, trailing: Option<TrailingHeaders>, sent: Sent, spool: &Arc<Spool>) -> S3Result<Upload> {
    let announced = headers.get_all("x-amz-trailer").iter().filter_map(|value| value.to_str().ok()).collect::<Vec<_>>().join(",");
    let mut expected = sent.promised;
    let mut hasher = hasher(&expected, &announced);
    let mut md5 = Md5::new();
    let mut writer = Writer::new(spool);
    let mut body = sent.body.map(Body::from).unwrap_or_default();
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame.map_err(unreadable)?.into_data() {
            hasher.update(&data);
            md5.update(&data);
            writer.add(&data).map_err(not_kept)?;
        }
    }
    if let Some(trailers) = trailing.and_then(|trailers| trailers.take()) {
        for (name, of) in FIELDS {
            if let Some(value) = trailers.get(name).and_then(|value| value.to_str().ok()) {
                *of(&mut expected) = Some(value.to_owned());
            }
        }
    }
    let md5 = md5.finalize().as_ref().to_vec();
    if sent.md5.as_ref().is_some_and(|promised| *promised != STANDARD.encode(&md5)) {
        return Err(s3_error!(BadDigest, "The Content-MD5 you specified did not match what we received."));
    }
    let mut checksum = hasher.finalize();
    for (name, of) in FIELDS {
        let promised = of(&mut expected);
        if promised.is_some() && promised != of(&mut checksum) {
            return Err(s3_error!(BadDigest, "The {name} you specified did not match the calculated checksum."));
        }
    }
    Ok(Upload { content: writer.end().map_err(not_kept)?, md5, checksum })
}

/// The header or trailer of a checksum, and its field.
type Field = (&'static str, fn(&mut Checksum) -> &mut Option<String>);

const FIELDS: [Field; 5] = [
    ("x-amz-checksum-crc32", |it| &mut it.checksum_crc32),
    ("x-amz-checksum-crc32c", |it| &mut it.checksum_crc32c),
    ("x-amz-checksum-crc64nvme", |it| &mut it.checksum_crc64nvme),
    ("x-amz-checksum-sha1", |it| &mut it.checksum_sha1),
    ("x-amz-checksum-sha256", |it| &mut it.checksum_sha256),
];

impl From<&mut PutObjectInput> for Sent {
    fn from(input: &mut PutObjectInput) -> Self {
        let promised = Checksum {
            checksum_crc32: input.checksum_crc32.clone(),
            checksum_crc32c: input.checksum_crc32c.clone(),
            checksum_crc64nvme: input.checksum_crc64nvme.clone(),
            checksum_sha1: input.checksum_sha1.clone(),
            checksum_sha256: input.checksum_sha256.clone(),
            ..Checksum::default()
        };
        Self { body: input.body.take(), md5: input.content_md5.clone(), promised }
    }
}

impl From<&mut UploadPartInput> for Sent {
    fn from(input: &mut UploadPartInput) -> Self {
        let promised = Checksum {
            checksum_crc32: input.checksum_crc32.clone(),
            checksum_crc32c: input.checksum_crc32c.clone(),
            checksum_crc64nvme: input.checksum_crc64nvme.clone(),
            checksum_sha1: input.checksum_sha1.clone(),
            checksum_sha256: input.checksum_sha256.clone(),
            ..Checksum::default()
        };
        Self { body: input.body.take(), md5: input.content_md5.clone(), promised }
    }
}

/// Takes the checksums that the head promises, and those that it announces for the end.
fn hasher(promised: &Checksum, announced: &str) -> ChecksumHasher {
    let wanted =
        |promised: &Option<String>, name: &str| promised.is_some() || announced.split(',').any(|it| it.trim().eq_ignore_ascii_case(name));
    let [crc32, crc32c, crc64nvme, sha1, sha256] = FIELDS.map(|(name, _)| name);
    ChecksumHasher {
        crc32: wanted(&promised.checksum_crc32, crc32).then(Default::default),
        crc32c: wanted(&promised.checksum_crc32c, crc32c).then(Default::default),
        crc64nvme: wanted(&promised.checksum_crc64nvme, crc64nvme).then(Default::default),
        sha1: wanted(&promised.checksum_sha1, sha1).then(Default::default),
        sha256: wanted(&promised.checksum_sha256, sha256).then(Default::default),
    }
}

/// The file cannot be written.
fn not_kept(source: std::io::Error) -> S3Error {
    S3Error::with_source(S3ErrorCode::InternalError, Box::new(source))
}

/// The body broke off, or its signature or promised hash did not match its content.
fn unreadable(source: s3s::StdError) -> S3Error {
    let text = source.to_string();
    let code = if text.contains("Sha256Mismatch") {
        S3ErrorCode::Custom("XAmzContentSHA256Mismatch".into())
    } else if text.contains("SignatureMismatch") {
        S3ErrorCode::SignatureDoesNotMatch
    } else {
        S3ErrorCode::IncompleteBody
    };
    let status = code.status_code().unwrap_or(StatusCode::BAD_REQUEST);
    let mut error = S3Error::with_source(code, source);
    error.set_status_code(status);
    error
}
