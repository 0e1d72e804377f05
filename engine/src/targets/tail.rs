//! A file that another process appends lines to, read as it grows: whole lines only, each once.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::path::PathBuf;

/// The file, and how far it has been read.
#[derive(Debug)]
pub struct Tail {
    path: PathBuf,
    read_to: u64,
    half_line: Vec<u8>,
}

impl Tail {
    /// Reads from the beginning of the file, which need not exist yet.
    pub const fn new(path: PathBuf) -> Self {
        Self { path, read_to: 0, half_line: Vec::new() }
    }

    /// The lines since the last call that `read` can parse.
    ///
    /// # Errors
    /// If the file exists and cannot be read.
    pub fn lines<T>(&mut self, read: impl Fn(&str) -> Option<T>) -> io::Result<Vec<T>> {
        let mut file = match File::open(&self.path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            opened => opened?,
        };
        file.seek(SeekFrom::Start(self.read_to))?;
        let count = file.read_to_end(&mut self.half_line)?;
        self.read_to += u64::try_from(count).unwrap_or_default();
        let whole = self.half_line.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let rest = self.half_line.split_off(whole);
        let lines = std::mem::replace(&mut self.half_line, rest);
        Ok(String::from_utf8_lossy(&lines).lines().filter_map(read).collect())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn every_line_comes_once_and_whole_wherever_the_writer_stopped() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lines");
        let mut tail = Tail::new(path.clone());
        let mut now = || tail.lines(|line| Some(line.to_owned())).unwrap();
        assert_eq!(now(), Vec::<String>::new(), "it is not there yet");
        let mut file = File::create(&path).unwrap();
        for (written, read) in
            [(&b"one\ntw"[..], vec!["one"]), (b"", vec![]), (b"o\nthr\xc3", vec!["two"]), (b"\xa9\n\n", vec!["thr\u{e9}", ""])]
        {
            file.write_all(written).unwrap();
            assert_eq!(now(), read);
        }
    }
}
