//! S3 over HTTP: s3s parses the request, checks its signature and expiry, and writes the answer.
//! Faults apply to requests that are parsed and allowed.

use std::sync::Arc;

use async_trait::async_trait;
use faults::cases::Caller;
use hyper::header::{HeaderName, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use run_folder::cause;
use s3s::auth::SimpleAuth;
use s3s::dto::{
    AbortMultipartUploadInput, AbortMultipartUploadOutput, CompleteMultipartUploadInput, CompleteMultipartUploadOutput, CopyObjectInput,
    CopyObjectOutput, CreateMultipartUploadInput, CreateMultipartUploadOutput, DeleteObjectInput, DeleteObjectOutput,
    DeleteObjectTaggingInput, DeleteObjectTaggingOutput, DeleteObjectsInput, DeleteObjectsOutput, GetBucketLocationInput,
    GetBucketLocationOutput, GetBucketVersioningInput, GetBucketVersioningOutput, GetObjectInput, GetObjectOutput, GetObjectTaggingInput,
    GetObjectTaggingOutput, HeadBucketInput, HeadBucketOutput, HeadObjectInput, HeadObjectOutput, ListBucketsInput, ListBucketsOutput,
    ListObjectVersionsInput, ListObjectVersionsOutput, ListObjectsInput, ListObjectsOutput, ListObjectsV2Input, ListObjectsV2Output,
    ListPartsInput, ListPartsOutput, PutObjectInput, PutObjectOutput, PutObjectTaggingInput, PutObjectTaggingOutput, UploadPartInput,
    UploadPartOutput,
};
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{Body, S3, S3Error, S3ErrorCode, S3Request, S3Response, S3Result};

use super::buckets::Buckets;
use super::notification::Happening;
use super::{copy, multipart, operations, tags, upload, versions};
use crate::account::{ACCESS_KEY, SECRET_KEY};
use crate::services::neighbour::{Origin, Striker, failure_status};
use crate::services::wire::{delivery, function, trace_root};

/// The content type of S3's answers.
const XML: &str = "application/xml";

/// The buckets behind S3's protocol and its faults.
pub struct Objects {
    service: S3Service,
    buckets: Arc<Buckets>,
}

/// The front's id of a request, passed through s3s.
#[derive(Clone)]
struct RequestId(String);

impl Objects {
    /// Serves these buckets to clients that sign with this machine's key.
    pub fn new(buckets: Arc<Buckets>, striker: Arc<Striker>) -> Self {
        let mut builder = S3ServiceBuilder::new(Behind { buckets: Arc::clone(&buckets), striker });
        builder.set_auth(SimpleAuth::from_single(ACCESS_KEY, SECRET_KEY));
        Self { service: builder.build(), buckets }
    }

    /// Whether a path names a bucket or an object in it.
    pub fn owns(&self, path: &str) -> bool {
        path.strip_prefix('/').and_then(|rest| rest.split('/').next()).is_some_and(|bucket| self.buckets.has(bucket))
    }

    /// Answers a request whose body is still being received.
    pub async fn answer(&self, mut request: Request<Body>, id: &str) -> Response<Body> {
        request.extensions_mut().insert(RequestId(id.to_owned()));
        let mut response = self.service.call(request).await.unwrap_or_else(|_| {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
            response
        });
        if let Ok(id) = HeaderValue::from_str(id) {
            response.headers_mut().insert(HeaderName::from_static("x-amz-request-id"), id);
        }
        response
    }
}

/// The buckets, with faults in front of them.
struct Behind {
    buckets: Arc<Buckets>,
    striker: Arc<Striker>,
}

impl Behind {
    async fn act<I: Send + 'static, T: Send + 'static>(
        &self,
        operation: &'static str,
        request: S3Request<I>,
        act: impl FnOnce(&Buckets, I) -> S3Result<T> + Send + 'static,
    ) -> S3Result<S3Response<T>> {
        let S3Request { input, headers, extensions, .. } = request;
        let id = extensions.get::<RequestId>().map(|id| id.0.as_str()).unwrap_or_default();
        let (root, function) = (trace_root(&headers), function(&headers));
        let caller = Caller { function: function.as_deref(), delivery: delivery(&headers) };
        let origin = Origin { request_id: id, root: root.as_deref(), caller };
        let Some(struck) = self.striker.decide(super::DESCRIBED.name, operation, &origin) else {
            return cause::with_sync(root.as_deref(), || act(&self.buckets, input)).map(S3Response::new);
        };
        let buckets = Arc::clone(&self.buckets);
        let result = self.striker.carry_out(struck, async move { act(&buckets, input) }, |code, message| Err(failure(code, message))).await;
        result.unwrap_or_else(|| Err(failure("InternalError", "the services are going down"))).map(S3Response::new)
    }
}

fn failure(code: &str, message: &str) -> S3Error {
    let known = S3ErrorCode::from_bytes(code.as_bytes()).unwrap_or(S3ErrorCode::InternalError);
    let status = known.status_code().or_else(|| StatusCode::from_u16(failure_status(code, XML)).ok());
    let mut error = S3Error::with_message(known, message.to_owned());
    error.set_status_code(status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR));
    error
}

#[async_trait]
impl S3 for Behind {
    /// The fault applies once the body is complete: then the sender reads the answer, and the work
    /// does not depend on the connection.
    async fn put_object(&self, mut request: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
        let what = if request.method == Method::POST { Happening::Post } else { Happening::Put };
        let (sent, trailing) = (upload::Sent::from(&mut request.input), request.trailing_headers.take());
        let upload = upload::read(&request.headers, trailing, sent, self.buckets.spool()).await?;
        self.act("PutObject", request.map_input(|input| (input, upload, what)), operations::put).await
    }

    async fn get_object(&self, request: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        self.act("GetObject", request, operations::get).await
    }

    async fn head_object(&self, request: S3Request<HeadObjectInput>) -> S3Result<S3Response<HeadObjectOutput>> {
        self.act("HeadObject", request, operations::head).await
    }

    async fn delete_object(&self, request: S3Request<DeleteObjectInput>) -> S3Result<S3Response<DeleteObjectOutput>> {
        self.act("DeleteObject", request, operations::delete).await
    }

    async fn list_objects_v2(&self, request: S3Request<ListObjectsV2Input>) -> S3Result<S3Response<ListObjectsV2Output>> {
        self.act("ListObjectsV2", request, operations::list).await
    }

    async fn head_bucket(&self, request: S3Request<HeadBucketInput>) -> S3Result<S3Response<HeadBucketOutput>> {
        self.act("HeadBucket", request, operations::head_bucket).await
    }

    async fn list_buckets(&self, request: S3Request<ListBucketsInput>) -> S3Result<S3Response<ListBucketsOutput>> {
        self.act("ListBuckets", request, operations::list_buckets).await
    }

    async fn upload_part(&self, mut request: S3Request<UploadPartInput>) -> S3Result<S3Response<UploadPartOutput>> {
        let (sent, trailing) = (upload::Sent::from(&mut request.input), request.trailing_headers.take());
        let upload = upload::read(&request.headers, trailing, sent, self.buckets.spool()).await?;
        self.act("UploadPart", request.map_input(|input| (input, upload)), multipart::part).await
    }

    async fn copy_object(&self, request: S3Request<CopyObjectInput>) -> S3Result<S3Response<CopyObjectOutput>> {
        self.act("CopyObject", request, copy::copy).await
    }

    async fn delete_objects(&self, request: S3Request<DeleteObjectsInput>) -> S3Result<S3Response<DeleteObjectsOutput>> {
        self.act("DeleteObjects", request, operations::delete_all).await
    }

    async fn list_objects(&self, request: S3Request<ListObjectsInput>) -> S3Result<S3Response<ListObjectsOutput>> {
        self.act("ListObjects", request, operations::list_first).await
    }

    async fn get_bucket_location(&self, request: S3Request<GetBucketLocationInput>) -> S3Result<S3Response<GetBucketLocationOutput>> {
        self.act("GetBucketLocation", request, operations::location).await
    }

    async fn create_multipart_upload(
        &self,
        request: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
        self.act("CreateMultipartUpload", request, multipart::create).await
    }

    async fn complete_multipart_upload(
        &self,
        request: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        self.act("CompleteMultipartUpload", request, multipart::complete).await
    }

    async fn abort_multipart_upload(
        &self,
        request: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
        self.act("AbortMultipartUpload", request, multipart::abort).await
    }

    async fn list_parts(&self, request: S3Request<ListPartsInput>) -> S3Result<S3Response<ListPartsOutput>> {
        self.act("ListParts", request, multipart::list_parts).await
    }

    async fn put_object_tagging(&self, request: S3Request<PutObjectTaggingInput>) -> S3Result<S3Response<PutObjectTaggingOutput>> {
        self.act("PutObjectTagging", request, tags::put).await
    }

    async fn get_object_tagging(&self, request: S3Request<GetObjectTaggingInput>) -> S3Result<S3Response<GetObjectTaggingOutput>> {
        self.act("GetObjectTagging", request, tags::get).await
    }

    async fn delete_object_tagging(&self, request: S3Request<DeleteObjectTaggingInput>) -> S3Result<S3Response<DeleteObjectTaggingOutput>> {
        self.act("DeleteObjectTagging", request, tags::delete).await
    }

    async fn list_object_versions(&self, request: S3Request<ListObjectVersionsInput>) -> S3Result<S3Response<ListObjectVersionsOutput>> {
        self.act("ListObjectVersions", request, versions::list).await
    }

    async fn get_bucket_versioning(&self, request: S3Request<GetBucketVersioningInput>) -> S3Result<S3Response<GetBucketVersioningOutput>> {
        self.act("GetBucketVersioning", request, versions::versioning).await
    }
}
