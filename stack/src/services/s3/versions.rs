//! The operations on versions. Source: Amazon S3 API reference, `ListObjectVersions`,
//! `GetBucketVersioning`.

use s3s::dto::{
    BucketVersioningStatus, DeleteMarkerEntry, ETag, GetBucketVersioningInput, GetBucketVersioningOutput, ListObjectVersionsInput,
    ListObjectVersionsOutput, ObjectVersion, ObjectVersionStorageClass,
};
use s3s::{S3Result, s3_error};

use super::buckets::{Buckets, Shelf};
use super::contents::Listed;

/// The most versions of an answer. Longer listings have no second page here.
const MOST: usize = 1000;

fn shelf<'a>(buckets: &'a Buckets, bucket: &str) -> S3Result<&'a Shelf> {
    buckets.shelves.get(bucket).ok_or_else(|| s3_error!(NoSuchBucket, "The specified bucket does not exist"))
}

pub fn versioning(buckets: &Buckets, input: GetBucketVersioningInput) -> S3Result<GetBucketVersioningOutput> {
    let is_versioned = shelf(buckets, &input.bucket)?.objects().is_versioned();
    let status = is_versioned.then(|| BucketVersioningStatus::from_static(BucketVersioningStatus::ENABLED));
    Ok(GetBucketVersioningOutput { status, ..GetBucketVersioningOutput::default() })
}

pub fn list(buckets: &Buckets, input: ListObjectVersionsInput) -> S3Result<ListObjectVersionsOutput> {
    let contents = shelf(buckets, &input.bucket)?.objects();
    let prefix = input.prefix.as_deref().unwrap_or_default();
    let all: Vec<Listed<'_>> = contents.versions(prefix).collect();
    let has_more = input.key_marker.is_some()
        || input.delimiter.is_some()
        || input.max_keys.is_some_and(|most| usize::try_from(most).unwrap_or(0) < all.len());
    if has_more || all.len() > MOST {
        return Err(s3_error!(NotImplemented, "this machine's S3 lists versions on one page, without a delimiter"));
    }
    let version = |it: &Listed<'_>| {
        Some(ObjectVersion {
            e_tag: Some(ETag::Strong(it.object?.etag.clone())),
            size: i64::try_from(it.object?.content.size()).ok(),
            key: Some(it.key.to_owned()),
            version_id: Some(it.id.to_owned()),
            is_latest: Some(it.is_latest),
            last_modified: Some(it.at.into()),
            storage_class: Some(ObjectVersionStorageClass::from_static(ObjectVersionStorageClass::STANDARD)),
            ..ObjectVersion::default()
        })
    };
    let marker = |it: &Listed<'_>| DeleteMarkerEntry {
        key: Some(it.key.to_owned()),
        version_id: Some(it.id.to_owned()),
        is_latest: Some(it.is_latest),
        last_modified: Some(it.at.into()),
        ..DeleteMarkerEntry::default()
    };
    Ok(ListObjectVersionsOutput {
        versions: Some(all.iter().filter_map(version).collect()),
        delete_markers: Some(all.iter().filter(|it| it.object.is_none()).map(marker).collect()),
        is_truncated: Some(false),
        max_keys: i32::try_from(MOST).ok(),
        name: Some(input.bucket.clone()),
        prefix: input.prefix.clone(),
        ..ListObjectVersionsOutput::default()
    })
}
