//! Where accepted mail is stored, and how large it may be.

use bytes::Bytes;

/// The most bytes of a message, 40 MB, in either direction. Source: Amazon SES, service quotas.
pub const LARGEST_MESSAGE: usize = 40 * 1024 * 1024;

/// Where accepted mail is stored: the bucket of the receipt rule, under its prefix.
pub trait Store: Send + Sync {
    /// Stores one object under `id`.
    fn store(&self, id: &str, raw: Bytes);
}
