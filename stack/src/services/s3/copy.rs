//! Copies of objects. Source: Amazon S3 API reference, `CopyObject`.

use std::time::SystemTime;

use s3s::dto::{CopyObjectInput, CopyObjectOutput, CopyObjectResult, CopySource, ETag, MetadataDirective, TaggingDirective};
use s3s::{S3Result, s3_error};

use super::buckets::{Buckets, Condition};
use super::notification::Happening;
use super::object::{Object, ObjectHeaders};
use super::operations::{canned, existing, not_stored};
use super::tags::read_header;

pub fn copy(buckets: &Buckets, input: CopyObjectInput) -> S3Result<CopyObjectOutput> {
    let CopySource::Bucket { bucket, key, version_id } = &input.copy_source else {
        return Err(s3_error!(NotImplemented, "this machine's S3 does not copy from access points"));
    };
    let has_condition = [input.copy_source_if_match.is_some(), input.copy_source_if_none_match.is_some()].contains(&true)
        || input.copy_source_if_modified_since.is_some()
        || input.copy_source_if_unmodified_since.is_some();
    if has_condition {
        return Err(s3_error!(NotImplemented, "this machine's S3 copies without conditions on the source"));
    }
    canned(input.acl.as_ref())?;
    let source = existing(buckets, bucket, key, version_id.as_deref())?;
    let replaces = input.metadata_directive.as_ref().is_some_and(|it| it.as_str() == MetadataDirective::REPLACE);
    let replaces_tags = input.tagging_directive.as_ref().is_some_and(|it| it.as_str() == TaggingDirective::REPLACE);
    if !replaces && version_id.is_none() && **bucket == *input.bucket && **key == *input.key {
        return Err(s3_error!(
            InvalidRequest,
            "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, \
             storage class, website redirect location or encryption attributes."
        ));
    }
    let tags = if replaces_tags { read_header(input.tagging.as_deref())? } else { source.described.tags.clone() };
    let described = if replaces {
        ObjectHeaders {
            content_type: input.content_type,
            content_disposition: input.content_disposition,
            content_encoding: input.content_encoding,
            cache_control: input.cache_control,
            content_language: input.content_language,
            metadata: input.metadata,
            tags,
        }
    } else {
        ObjectHeaders { tags, ..source.described }
    };
    let (etag, modified) = (source.etag, SystemTime::now());
    let object = Object { content: source.content, etag: etag.clone(), modified, version: None, described };
    let version_id = buckets.store(&input.bucket, &input.key, object, &Condition::Always, Happening::Copy).map_err(not_stored)?;
    let result = CopyObjectResult { e_tag: Some(ETag::Strong(etag)), last_modified: Some(modified.into()), ..CopyObjectResult::default() };
    Ok(CopyObjectOutput {
        copy_object_result: Some(result),
        version_id,
        copy_source_version_id: source.version,
        ..CopyObjectOutput::default()
    })
}
