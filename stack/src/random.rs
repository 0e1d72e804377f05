//! Random bytes for secrets.

use std::io;

/// So many random bytes.
///
/// # Errors
/// If the system provides none.
pub(crate) fn random<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    fill(&mut bytes)?;
    Ok(bytes)
}

/// Fills a slice with random bytes.
///
/// # Errors
/// If the system provides none.
pub(crate) fn fill(bytes: &mut [u8]) -> io::Result<()> {
    aws_lc_rs::rand::fill(bytes).map_err(|_| io::Error::other("the system provides no random bytes"))
}
