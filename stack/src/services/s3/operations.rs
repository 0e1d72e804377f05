//! What each operation of S3 does with the buckets, in the types of the protocol.

use std::time::SystemTime;

use s3s::dto::{
    Bucket, CommonPrefix, DeleteObjectInput, DeleteObjectOutput, DeleteObjectsInput, DeleteObjectsOutput, DeletedObject, ETag,
    ETagCondition, GetBucketLocationInput, GetBucketLocationOutput, GetObjectInput, GetObjectOutput, HeadBucketInput, HeadBucketOutput,
    HeadObjectInput, HeadObjectOutput, ListBucketsInput, ListBucketsOutput, ListObjectsInput, ListObjectsOutput, ListObjectsV2Input,
    ListObjectsV2Output, Object as Listed, ObjectCannedACL, ObjectStorageClass, PutObjectInput, PutObjectOutput, StreamingBlob,
};
use s3s::{Body, S3Error, S3Result, s3_error};

use super::buckets::{Buckets, Condition, NotStored};
use super::contents::{Found, Removed};
use super::listing::{Asked, page};
use super::notification::{Happening, encoded};
use super::object::{Object, ObjectHeaders};
use super::tags::read_header;
use super::upload::Upload;
use crate::services::wire::hexadecimal;
use template::account::REGION;

/// The most keys on one page. Source: Amazon S3 API reference, `ListObjectsV2`.
const MOST_KEYS: i32 = 1000;

pub fn put(buckets: &Buckets, (input, upload, what): (PutObjectInput, Upload, Happening)) -> S3Result<PutObjectOutput> {
    let etag = hexadecimal(&upload.md5);
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
    let object = Object { content: upload.content, etag: etag.clone(), modified: SystemTime::now(), version: None, described };
    let condition = condition(input.if_match.as_ref(), input.if_none_match.as_ref())?;
    let version_id = buckets.store(&input.bucket, &input.key, object, &condition, what).map_err(not_stored)?;
    Ok(PutObjectOutput {
        version_id,
        e_tag: Some(ETag::Strong(etag)),
        checksum_crc32: upload.checksum.checksum_crc32,
        checksum_crc32c: upload.checksum.checksum_crc32c,
        checksum_crc64nvme: upload.checksum.checksum_crc64nvme,
        checksum_sha1: upload.checksum.checksum_sha1,
        checksum_sha256: upload.checksum.checksum_sha256,
        ..PutObjectOutput::default()
    })
}

/// Why an object was not stored, as S3 words it.
pub fn not_stored(why: NotStored) -> S3Error {
    match why {
        NotStored::NoSuchBucket => s3_error!(NoSuchBucket, "The specified bucket does not exist"),
        NotStored::NoSuchKey => s3_error!(NoSuchKey, "The specified key does not exist."),
        NotStored::Condition => s3_error!(PreconditionFailed, "At least one of the pre-conditions you specified did not hold"),
    }
}

/// The condition of a write. Source: Amazon S3 user guide, "How to prevent object overwrites with
/// conditional writes".
pub fn condition(matches: Option<&ETagCondition>, none_matches: Option<&ETagCondition>) -> S3Result<Condition> {
    match (matches, none_matches) {
        (None, None) => Ok(Condition::Always),
        (None, Some(ETagCondition::Any)) => Ok(Condition::New),
        (Some(ETagCondition::ETag(etag)), None) => Ok(Condition::Is(etag.value().to_owned())),
        _ => Err(s3_error!(NotImplemented, "A header you provided implies functionality that is not implemented")),
    }
}

/// Access is not decided here, so an object can only belong to its bucket's owner, as in a bucket of
/// today's default. Source: Amazon S3 user guide, "Controlling ownership of objects".
pub fn canned(acl: Option<&ObjectCannedACL>) -> S3Result<()> {
    match acl.map(ObjectCannedACL::as_str) {
        None | Some("private" | "bucket-owner-full-control") => Ok(()),
        Some(_) => Err(s3_error!(AccessControlListNotSupported, "The bucket does not allow ACLs")),
    }
}

/// The object of a key, or a version of it.
pub fn existing(buckets: &Buckets, bucket: &str, key: &str, version: Option<&str>) -> S3Result<Object> {
    match buckets.find(bucket, key, version) {
        None => Err(s3_error!(NoSuchBucket, "The specified bucket does not exist")),
        Some(Found::Object(object)) => Ok(*object),
        Some(Found::Marker) if version.is_some() => {
            Err(s3_error!(MethodNotAllowed, "The specified method is not allowed against this resource."))
        }
        Some(Found::Marker | Found::NoSuchKey) => Err(s3_error!(NoSuchKey, "The specified key does not exist.")),
        Some(Found::NoSuchVersion) => Err(s3_error!(NoSuchVersion, "The specified version does not exist.")),
    }
}

fn length(size: usize) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}

pub fn get(buckets: &Buckets, input: GetObjectInput) -> S3Result<GetObjectOutput> {
    let object = existing(buckets, &input.bucket, &input.key, input.version_id.as_deref())?;
    let size = object.content.size();
    let (mut shown, mut content_range) = (0..size, None);
    if let Some(range) = input.range {
        let whole = size as u64;
        let part = range.check(whole).map_err(|_| s3_error!(InvalidRange, "The requested range is not satisfiable"))?;
        content_range = Some(format!("bytes {}-{}/{whole}", part.start, part.end.saturating_sub(1)));
        // Both ends are within the content, so they fit.
        shown = usize::try_from(part.start).unwrap_or_default()..usize::try_from(part.end).unwrap_or_default();
    }
    Ok(GetObjectOutput {
        accept_ranges: Some("bytes".to_owned()),
        content_length: Some(length(shown.len())),
        content_range,
        content_type: object.described.content_type,
        content_disposition: object.described.content_disposition,
        content_encoding: object.described.content_encoding,
        cache_control: object.described.cache_control,
        content_language: object.described.content_language,
        metadata: object.described.metadata,
        tag_count: i32::try_from(object.described.tags.len()).ok().filter(|count| *count > 0),
        e_tag: Some(ETag::Strong(object.etag)),
        version_id: object.version,
        last_modified: Some(object.modified.into()),
        body: Some(StreamingBlob::from(Body::http_body(object.content.part(shown)))),
        ..GetObjectOutput::default()
    })
}

pub fn head(buckets: &Buckets, input: HeadObjectInput) -> S3Result<HeadObjectOutput> {
    let object = existing(buckets, &input.bucket, &input.key, input.version_id.as_deref())?;
    Ok(HeadObjectOutput {
        accept_ranges: Some("bytes".to_owned()),
        content_length: Some(length(object.content.size())),
        content_type: object.described.content_type,
        content_disposition: object.described.content_disposition,
        content_encoding: object.described.content_encoding,
        cache_control: object.described.cache_control,
        content_language: object.described.content_language,
        metadata: object.described.metadata,
        e_tag: Some(ETag::Strong(object.etag)),
        version_id: object.version,
        last_modified: Some(object.modified.into()),
        ..HeadObjectOutput::default()
    })
}

pub fn delete(buckets: &Buckets, input: DeleteObjectInput) -> S3Result<DeleteObjectOutput> {
    if !buckets.has(&input.bucket) {
        return Err(s3_error!(NoSuchBucket, "The specified bucket does not exist"));
    }
    // Deleting a missing object succeeds too.
    let (version_id, delete_marker) = deleted(buckets.delete(&input.bucket, &input.key, input.version_id.as_deref()));
    Ok(DeleteObjectOutput { version_id, delete_marker, ..DeleteObjectOutput::default() })
}

/// The version or marker that a deletion was about, and whether it is a marker.
fn deleted(removed: Removed) -> (Option<String>, Option<bool>) {
    match removed {
        Removed::Nothing | Removed::Object => (None, None),
        Removed::Hidden { marker } => (Some(marker), Some(true)),
        Removed::Version { id, was_marker } => (Some(id), was_marker.then_some(true)),
    }
}

pub fn delete_all(buckets: &Buckets, input: DeleteObjectsInput) -> S3Result<DeleteObjectsOutput> {
    if !buckets.has(&input.bucket) {
        return Err(s3_error!(NoSuchBucket, "The specified bucket does not exist"));
    }
    let objects = input.delete.objects;
    if objects.is_empty() || objects.len() > 1000 {
        return Err(s3_error!(MalformedXML, "The XML you provided was not well-formed or did not validate against our published schema"));
    }
    let done: Vec<_> = objects
        .into_iter()
        .map(|object| {
            let removed = buckets.delete(&input.bucket, &object.key, object.version_id.as_deref());
            let hidden = if let Removed::Hidden { marker } = &removed { Some(marker.clone()) } else { None };
            let (version, delete_marker) = deleted(removed);
            let delete_marker_version_id = hidden.or_else(|| version.filter(|_| delete_marker.is_some()));
            DeletedObject { key: Some(object.key), version_id: object.version_id, delete_marker, delete_marker_version_id }
        })
        .collect();
    let deleted = (!input.delete.quiet.unwrap_or(false)).then_some(done);
    Ok(DeleteObjectsOutput { deleted, ..DeleteObjectsOutput::default() })
}

/// Source: Amazon S3 API reference, `GetBucketLocation`: `us-east-1` has no constraint.
pub fn location(buckets: &Buckets, input: GetBucketLocationInput) -> S3Result<GetBucketLocationOutput> {
    if !buckets.has(&input.bucket) {
        return Err(s3_error!(NoSuchBucket, "The specified bucket does not exist"));
    }
    Ok(GetBucketLocationOutput::default())
}

pub fn head_bucket(buckets: &Buckets, input: HeadBucketInput) -> S3Result<HeadBucketOutput> {
    if !buckets.has(&input.bucket) {
        return Err(s3_error!(NoSuchBucket, "The specified bucket does not exist"));
    }
    Ok(HeadBucketOutput { bucket_region: Some(REGION.to_owned()), ..HeadBucketOutput::default() })
}

pub fn list_buckets(buckets: &Buckets, _: ListBucketsInput) -> S3Result<ListBucketsOutput> {
    let bucket = |name: String| Bucket { name: Some(name), creation_date: Some(buckets.made.into()), ..Bucket::default() };
    Ok(ListBucketsOutput { buckets: Some(buckets.names().into_iter().map(bucket).collect()), ..ListBucketsOutput::default() })
}

/// The first version of the listing, by the second.
pub fn list_first(buckets: &Buckets, input: ListObjectsInput) -> S3Result<ListObjectsOutput> {
    let (marker, delimiter) = (input.marker, input.delimiter);
    let second = ListObjectsV2Input {
        bucket: input.bucket,
        prefix: input.prefix,
        delimiter: delimiter.clone(),
        start_after: marker.clone().filter(|marker| !marker.is_empty()),
        max_keys: input.max_keys,
        encoding_type: input.encoding_type,
        ..ListObjectsV2Input::default()
    };
    let listed = list(buckets, second)?;
    Ok(ListObjectsOutput {
        name: listed.name,
        prefix: listed.prefix,
        marker,
        max_keys: listed.max_keys,
        is_truncated: listed.is_truncated,
        contents: listed.contents,
        common_prefixes: listed.common_prefixes,
        // Without a delimiter the caller continues after the last key. Source: API reference, `ListObjects`.
        next_marker: listed.next_continuation_token.filter(|_| delimiter.is_some()),
        delimiter,
        encoding_type: listed.encoding_type,
        ..ListObjectsOutput::default()
    })
}

pub fn list(buckets: &Buckets, input: ListObjectsV2Input) -> S3Result<ListObjectsV2Output> {
    let Some(shelf) = buckets.shelves.get(&input.bucket) else {
        return Err(s3_error!(NoSuchBucket, "The specified bucket does not exist"));
    };
    let most = input.max_keys.unwrap_or(MOST_KEYS).clamp(0, MOST_KEYS);
    let objects = shelf.objects();
    let asked = Asked {
        prefix: input.prefix.as_deref().unwrap_or_default(),
        delimiter: input.delimiter.as_deref().filter(|delimiter| !delimiter.is_empty()),
        after: input.continuation_token.as_deref().or(input.start_after.as_deref()),
        most: usize::try_from(most).unwrap_or_default(),
    };
    let page = page(objects.by_key.keys(), &asked);
    let shown = |key: &str| if input.encoding_type.is_some() { encoded(key) } else { key.to_owned() };
    let listed = |key: &String| {
        let object = objects.by_key.get(key)?;
        Some(Listed {
            key: Some(shown(key)),
            size: Some(length(object.content.size())),
            e_tag: Some(ETag::Strong(object.etag.clone())),
            last_modified: Some(object.modified.into()),
            storage_class: Some(ObjectStorageClass::from_static(ObjectStorageClass::STANDARD)),
            ..Listed::default()
        })
    };
    Ok(ListObjectsV2Output {
        contents: Some(page.keys.iter().filter_map(listed).collect()),
        common_prefixes: Some(page.prefixes.iter().map(|it| CommonPrefix { prefix: Some(shown(it)) }).collect()),
        key_count: i32::try_from(page.keys.len() + page.prefixes.len()).ok(),
        is_truncated: Some(page.next.is_some()),
        next_continuation_token: page.next,
        max_keys: Some(most),
        prefix: input.prefix.as_deref().map(shown),
        delimiter: input.delimiter.as_deref().map(shown),
        start_after: input.start_after.as_deref().map(shown),
        name: Some(input.bucket),
        continuation_token: input.continuation_token,
        encoding_type: input.encoding_type,
        ..ListObjectsV2Output::default()
    })
}
