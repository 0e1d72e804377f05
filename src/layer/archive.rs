//! The zip and its digest. The same entries must give the same bytes: nothing in it depends on the
//! machine or the time.

use std::io::{Cursor, Write};
use std::path::Path;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

/// A file of the layer.
#[derive(Debug)]
pub struct Entry {
    /// Its path below `/opt`.
    pub name: String,
    /// Its Unix permissions.
    pub mode: u32,
    /// Its content.
    pub bytes: Vec<u8>,
}

impl Entry {
    /// A file with this content.
    pub fn new(name: &str, mode: u32, bytes: Vec<u8>) -> Self {
        Self { name: name.to_owned(), mode, bytes }
    }
}

/// Packs the entries in their order, all with the earliest time of the zip format (1980-01-01).
///
/// # Errors
/// If an entry is too large or named twice.
pub fn pack(entries: &[Entry]) -> zip::result::ZipResult<Vec<u8>> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for entry in entries {
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            .compression_level(Some(9))
            .last_modified_time(DateTime::default())
            .unix_permissions(entry.mode);
        zip.start_file(&entry.name, options)?;
        zip.write_all(&entry.bytes)?;
    }
    Ok(zip.finish()?.into_inner())
}

/// A SHA-256.
#[derive(Debug)]
pub struct Digest(Vec<u8>);

impl Digest {
    /// The digest of some bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(digest(&SHA256, bytes).as_ref().to_vec())
    }

    /// As `sha256sum` writes it.
    pub fn hex(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// As Lambda reports it in `CodeSha256`.
    pub fn base64(&self) -> String {
        STANDARD.encode(&self.0)
    }

    /// The line that `sha256sum --check` reads.
    pub fn line(&self, file: &Path) -> String {
        format!("{}  {}\n", self.hex(), file.file_name().unwrap_or_default().to_string_lossy())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_entries_give_the_same_bytes_with_their_modes() {
        let entries = [Entry::new("a/run", 0o755, b"x".repeat(5000)), Entry::new("b", 0o644, b"y".to_vec())];
        let packed = pack(&entries).unwrap();
        assert_eq!(packed, pack(&entries).unwrap());
        let mut zip = zip::ZipArchive::new(Cursor::new(packed)).unwrap();
        let modes: Vec<_> = (0..zip.len()).map(|n| zip.by_index(n).unwrap().unix_mode().unwrap() & 0o777).collect();
        assert_eq!(modes, [0o755, 0o644]);
    }

    #[test]
    fn a_digest_is_written_in_both_forms() {
        let digest = Digest::of(b"abc");
        assert_eq!(digest.hex(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(digest.base64(), "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=");
        assert!(digest.line(Path::new("there/x.zip")).ends_with("15ad  x.zip\n"));
    }
}
