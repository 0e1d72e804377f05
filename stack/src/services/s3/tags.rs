//! The tags of an object. Source: Amazon S3 user guide, "Categorizing your objects using tags".

use std::collections::BTreeMap;

use hyper::StatusCode;
use s3s::dto::{
    DeleteObjectTaggingInput, DeleteObjectTaggingOutput, GetObjectTaggingInput, GetObjectTaggingOutput, PutObjectTaggingInput,
    PutObjectTaggingOutput, Tag,
};
use s3s::{S3Error, S3ErrorCode, S3Result, s3_error};

use super::buckets::Buckets;

/// The most tags of an object, and the longest key and value. Source: as above.
const MOST: usize = 10;
const LONGEST_KEY: usize = 128;
const LONGEST_VALUE: usize = 256;

/// Tags by key.
pub type Tags = BTreeMap<String, String>;

/// Reads `x-amz-tagging`: a form.
pub fn read_header(header: Option<&str>) -> S3Result<Tags> {
    checked(form_urlencoded::parse(header.unwrap_or_default().as_bytes()).into_owned().collect())
}

fn checked(tags: Vec<(String, String)>) -> S3Result<Tags> {
    if tags.len() > MOST {
        let mut error = S3Error::with_message(S3ErrorCode::Custom("BadRequest".into()), "Object tags cannot be greater than 10");
        error.set_status_code(StatusCode::BAD_REQUEST);
        return Err(error);
    }
    let (count, mut read) = (tags.len(), Tags::new());
    for (key, value) in tags {
        if key.is_empty() || key.chars().count() > LONGEST_KEY {
            return Err(s3_error!(InvalidTag, "The TagKey you have provided is invalid"));
        }
        if value.chars().count() > LONGEST_VALUE {
            return Err(s3_error!(InvalidTag, "The TagValue you have provided is invalid"));
        }
        read.insert(key, value);
    }
    if read.len() < count {
        return Err(s3_error!(InvalidTag, "Cannot provide multiple Tags with the same key"));
    }
    Ok(read)
}

fn change<T>(buckets: &Buckets, (bucket, key, version): (&str, &str, Option<&String>), act: impl FnOnce(&mut Tags) -> T) -> S3Result<T> {
    if version.is_some() {
        return Err(s3_error!(NotImplemented, "this machine's S3 tags current objects only"));
    }
    if !buckets.has(bucket) {
        return Err(s3_error!(NoSuchBucket, "The specified bucket does not exist"));
    }
    buckets
        .change(bucket, key, |object| act(&mut object.described.tags))
        .ok_or_else(|| s3_error!(NoSuchKey, "The specified key does not exist."))
}

pub fn put(buckets: &Buckets, input: PutObjectTaggingInput) -> S3Result<PutObjectTaggingOutput> {
    let given = input.tagging.tag_set.into_iter().map(|tag| (tag.key.unwrap_or_default(), tag.value.unwrap_or_default()));
    let given = checked(given.collect())?;
    change(buckets, (&input.bucket, &input.key, input.version_id.as_ref()), |tags| *tags = given)?;
    Ok(PutObjectTaggingOutput::default())
}

pub fn get(buckets: &Buckets, input: GetObjectTaggingInput) -> S3Result<GetObjectTaggingOutput> {
    let tags = change(buckets, (&input.bucket, &input.key, input.version_id.as_ref()), |tags| tags.clone())?;
    let tag_set = tags.into_iter().map(|(key, value)| Tag { key: Some(key), value: Some(value) }).collect();
    Ok(GetObjectTaggingOutput { tag_set, ..GetObjectTaggingOutput::default() })
}

pub fn delete(buckets: &Buckets, input: DeleteObjectTaggingInput) -> S3Result<DeleteObjectTaggingOutput> {
    change(buckets, (&input.bucket, &input.key, input.version_id.as_ref()), Tags::clear)?;
    Ok(DeleteObjectTaggingOutput::default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_have_limits() {
        let eleven: String = (0..11).map(|n| format!("k{n}=v&")).collect();
        let long = format!("{}=v", "k".repeat(129));
        for (header, count) in
            [("", Some(0)), ("a=1&b=x%20y", Some(2)), ("a=1&a=2", None), ("=v", None), (eleven.as_str(), None), (long.as_str(), None)]
        {
            assert_eq!(read_header(Some(header)).ok().map(|tags| tags.len()), count, "{header}");
        }
    }
}
