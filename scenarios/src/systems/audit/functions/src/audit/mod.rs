//! What the four functions of the audit share: the cache, the rows, the notices, and how a task ends.

pub mod cache;
mod notices;
mod rows;
pub mod task;

pub(crate) use notices::{Notice, Notices};
pub(crate) use rows::{Flag, Rows, TakenBack};

/// The key of a record in the cache.
pub(crate) fn cache_key(id: &str) -> String {
    format!("record:{id}")
}

/// SHA-256 in hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_written_in_hexadecimal() {
        assert_eq!(sha256(b"abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}
