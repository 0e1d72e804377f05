//! A worker's folder as lines of text: it comes out of a container through the log, where nothing is shared.

use std::fs;
use std::io::{self, Cursor, Read, Write};
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reports::workers::FILES;

use crate::layer::archive::{Entry, pack};

/// How each line begins, so that other lines of the log may stand between.
const MARK: &str = "brownout-folder: ";

/// The last line.
const END: &str = "brownout-folder-end";

/// Characters of a line: Kubernetes' logs cut lines at 16 KB.
const LINE: usize = 8_000;

/// Writes what a report needs of the worker's folder; a file that is not there is left out.
///
/// # Errors
/// If a file cannot be read, or nothing can be written.
pub fn send(folder: &Path, mut out: impl Write) -> io::Result<()> {
    let mut entries = Vec::new();
    for name in FILES {
        match fs::read(folder.join(name)) {
            Ok(bytes) => entries.push(Entry::new(name, 0o644, bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    let packed = STANDARD.encode(pack(&entries).map_err(io::Error::other)?);
    for line in packed.as_bytes().chunks(LINE) {
        out.write_all(MARK.as_bytes())?;
        out.write_all(line)?;
        out.write_all(b"\n")?;
    }
    writeln!(out, "{END}")?;
    out.flush()
}

/// What has come of a folder.
#[derive(Debug, Default)]
pub struct Received {
    text: String,
    is_whole: bool,
}

impl Received {
    /// Takes a line of a log, and returns it if it is no part of a folder.
    pub fn line<'a>(&mut self, line: &'a str) -> Option<&'a str> {
        if line == END {
            self.is_whole = true;
        } else if let Some(part) = line.strip_prefix(MARK) {
            self.text.push_str(part);
        } else {
            return Some(line);
        }
        None
    }

    /// Whether its last line has come.
    pub const fn is_whole(&self) -> bool {
        self.is_whole
    }

    /// Writes its files into a folder that exists.
    ///
    /// # Errors
    /// If it was damaged, or a file cannot be written.
    pub fn unpack(&self, folder: &Path) -> io::Result<()> {
        let packed = STANDARD.decode(&self.text).map_err(io::Error::other)?;
        let mut zip = zip::ZipArchive::new(Cursor::new(packed)).map_err(io::Error::other)?;
        for name in FILES {
            let Ok(mut entry) = zip.by_name(name) else { continue };
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes)?;
            fs::write(folder.join(name), bytes)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_comes_whole_through_a_log_with_other_lines_in_between() {
        let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let mut state = 1_u64;
        let mut byte = || {
            // Xorshift, which no compression shortens (Marsaglia, 2003).
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()[0]
        };
        let noise: Vec<u8> = (0..100_000).map(|_| byte()).collect();
        fs::write(from.path().join(FILES[0]), "{}").unwrap();
        fs::write(from.path().join(FILES[1]), &noise).unwrap();
        let mut log = Vec::new();
        send(from.path(), &mut log).unwrap();
        let log = String::from_utf8(log).unwrap();
        assert!(log.lines().count() > 10 && log.lines().all(|line| line.len() < 16_000));
        let mut received = Received::default();
        for line in log.lines() {
            assert!(!received.is_whole());
            assert_eq!((received.line(line), received.line("note: between")), (None, Some("note: between")));
        }
        assert!(received.is_whole());
        received.unpack(to.path()).unwrap();
        assert_eq!(fs::read(to.path().join(FILES[1])).unwrap(), noise);
        assert!(to.path().join(FILES[0]).exists() && !to.path().join(FILES[2]).exists());
        // One that lost a line is refused.
        let mut torn = Received::default();
        log.lines().skip(1).for_each(|line| assert_eq!(torn.line(line), None));
        torn.unpack(to.path()).unwrap_err();
    }
}
