//! Uploads in parts. Source: Amazon S3 user guide, "Uploading and copying objects using multipart
//! upload"; API reference, `CompleteMultipartUpload`.

use std::collections::BTreeMap;
use std::time::SystemTime;

use s3s::crypto::{Checksum, Md5};
use s3s::dto::{
    AbortMultipartUploadInput, AbortMultipartUploadOutput, CompleteMultipartUploadInput, CompleteMultipartUploadOutput,
    CreateMultipartUploadInput, CreateMultipartUploadOutput, ETag, ListPartsInput, ListPartsOutput, Part as Listed, UploadPartInput,
    UploadPartOutput,
};
use s3s::{S3Error, S3ErrorCode, S3Result, s3_error};

use super::buckets::Buckets;
use super::content::Writer;
use super::notification::Happening;
use super::object::{Object, ObjectHeaders};
use super::operations::{canned, condition, not_stored};
use super::tags::read_header;
use super::upload::Upload;
use super::uploads::{Begun, Part};
use crate::services::wire::{hexadecimal, request_id};

/// The smallest part, except for the last one. Source: Amazon S3 multipart upload limits.
const SMALLEST: usize = 5 * 1024 * 1024;
/// The highest number of a part. Source: as above.
const MOST: i32 = 10_000;

fn gone() -> S3Error {
    s3_error!(
        NoSuchUpload,
        "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed."
    )
}

pub fn create(buckets: &Buckets, input: CreateMultipartUploadInput) -> S3Result<CreateMultipartUploadOutput> {
    if !buckets.has(&input.bucket) {
        return Err(s3_error!(NoSuchBucket, "The specified bucket does not exist"));
    }
    canned(input.acl.as_ref())?;
    let described = ObjectHeaders {
        content_type: input.content_type,
        content_disposition: input.content_disposition,
        content_encoding: input.content_encoding,
        cache_control: input.cache_control,
        content_language: input.content_language,
        metadata: input.metadata,
        tags: read_header(input.tagging.as_deref())?,
    };
    let id = request_id();
    let begun = Begun { bucket: input.bucket.clone(), key: input.key.clone(), described, parts: BTreeMap::new() };
    buckets.uploads.all().insert(id.clone(), begun);
    Ok(CreateMultipartUploadOutput {
        bucket: Some(input.bucket),
        key: Some(input.key),
        upload_id: Some(id),
        ..CreateMultipartUploadOutput::default()
    })
}

pub fn part(buckets: &Buckets, (input, upload): (UploadPartInput, Upload)) -> S3Result<UploadPartOutput> {
    if !(1..=MOST).contains(&input.part_number) {
        return Err(s3_error!(InvalidArgument, "Part number must be an integer between 1 and 10000, inclusive"));
    }
    let mut all = buckets.uploads.all();
    let begun = all.get_mut(&input.upload_id).filter(|it| it.bucket == input.bucket && it.key == input.key).ok_or_else(gone)?;
    let etag = hexadecimal(&upload.md5);
    begun.parts.insert(input.part_number, Part { content: upload.content, md5: upload.md5, at: SystemTime::now() });
    Ok(UploadPartOutput {
        e_tag: Some(ETag::Strong(etag)),
        checksum_crc32: upload.checksum.checksum_crc32,
        checksum_crc32c: upload.checksum.checksum_crc32c,
        checksum_crc64nvme: upload.checksum.checksum_crc64nvme,
        checksum_sha1: upload.checksum.checksum_sha1,
        checksum_sha256: upload.checksum.checksum_sha256,
        ..UploadPartOutput::default()
    })
}

pub fn complete(buckets: &Buckets, input: CompleteMultipartUploadInput) -> S3Result<CompleteMultipartUploadOutput> {
    let condition = condition(input.if_match.as_ref(), input.if_none_match.as_ref())?;
    let (parts, described) = chosen(buckets, &input)?;
    let mut writer = Writer::new(buckets.spool());
    let mut md5 = Md5::new();
    for part in &parts {
        md5.update(&part.md5);
        part.content.append_to(&mut writer).map_err(unreadable)?;
    }
    let etag = format!("{}-{}", hexadecimal(md5.finalize().as_ref()), parts.len());
    let object =
        Object { content: writer.end().map_err(unreadable)?, etag: etag.clone(), modified: SystemTime::now(), version: None, described };
    let version_id = buckets.store(&input.bucket, &input.key, object, &condition, Happening::Complete).map_err(not_stored)?;
    buckets.uploads.all().remove(&input.upload_id);
    Ok(CompleteMultipartUploadOutput {
        location: Some(format!("/{}/{}", input.bucket, input.key)),
        bucket: Some(input.bucket),
        key: Some(input.key),
        e_tag: Some(ETag::Strong(etag)),
        version_id,
        ..CompleteMultipartUploadOutput::default()
    })
}

/// The parts that the object is made of, in order.
fn chosen(buckets: &Buckets, input: &CompleteMultipartUploadInput) -> S3Result<(Vec<Part>, ObjectHeaders)> {
    let all = buckets.uploads.all();
    let begun = all.get(&input.upload_id).filter(|it| it.bucket == input.bucket && it.key == input.key).ok_or_else(gone)?;
    let named = input.multipart_upload.as_ref().and_then(|it| it.parts.as_deref()).unwrap_or_default();
    if named.is_empty() {
        return Err(s3_error!(MalformedXML, "The XML you provided was not well-formed or did not validate against our published schema"));
    }
    if !named.is_sorted_by(|a, b| a.part_number < b.part_number) {
        return Err(s3_error!(InvalidPartOrder, "The list of parts was not in ascending order. Parts must be ordered by part number."));
    }
    let mut parts = Vec::new();
    for (at, named) in named.iter().enumerate() {
        let part = named.part_number.and_then(|number| begun.parts.get(&number));
        let is_it = |part: &&Part| named.e_tag.as_ref().is_some_and(|etag| etag.value() == hexadecimal(&part.md5));
        let part = part.filter(is_it).ok_or_else(|| s3_error!(InvalidPart, "One or more of the specified parts could not be found."))?;
        if at + 1 < input.multipart_upload.as_ref().and_then(|it| it.parts.as_ref()).map_or(0, Vec::len) && part.content.size() < SMALLEST {
            return Err(s3_error!(EntityTooSmall, "Your proposed upload is smaller than the minimum allowed size"));
        }
        parts.push(part.clone());
    }
    Ok((parts, begun.described.clone()))
}

fn unreadable(source: std::io::Error) -> S3Error {
    S3Error::with_source(S3ErrorCode::InternalError, Box::new(source))
}

pub fn abort(buckets: &Buckets, input: AbortMultipartUploadInput) -> S3Result<AbortMultipartUploadOutput> {
    buckets.uploads.all().remove(&input.upload_id).ok_or_else(gone)?;
    Ok(AbortMultipartUploadOutput::default())
}

pub fn list_parts(buckets: &Buckets, input: ListPartsInput) -> S3Result<ListPartsOutput> {
    let all = buckets.uploads.all();
    let begun = all.get(&input.upload_id).ok_or_else(gone)?;
    let listed = |(number, part): (&i32, &Part)| Listed {
        part_number: Some(*number),
        e_tag: Some(ETag::Strong(hexadecimal(&part.md5))),
        size: i64::try_from(part.content.size()).ok(),
        last_modified: Some(part.at.into()),
        ..Listed::default()
    };
    Ok(ListPartsOutput {
        parts: Some(begun.parts.iter().map(listed).collect()),
        is_truncated: Some(false),
        bucket: Some(input.bucket),
        key: Some(input.key),
        upload_id: Some(input.upload_id),
        ..ListPartsOutput::default()
    })
}
