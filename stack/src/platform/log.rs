//! A function's output: it goes to the function's log, except the ledger lines that the extension
//! prints, which go to the ledger. It does not interpret any other line.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use faults::Entry;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};
use tokio::sync::mpsc::UnboundedSender;

/// A function in a loop must not fill the disk.
const LARGEST_LOG: u64 = 64 * 1024 * 1024;
/// A longer line is cut into pieces, so that memory use does not grow with it.
const LONGEST_LINE: u64 = 64 * 1024;

/// One function's log. All its environments write to it.
#[derive(Debug, Clone)]
pub(crate) struct Log(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    file: File,
    written: AtomicU64,
}

impl Log {
    /// Opens the log for appending.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let file = File::options().create(true).append(true).open(path)?;
        Ok(Self(Arc::new(Inner { file, written: AtomicU64::new(0) })))
    }

    /// Writes to the log until it is full. If the disk refuses, only the log is lost; the function
    /// runs on.
    pub(crate) fn write(&self, bytes: &[u8]) {
        if self.0.written.fetch_add(bytes.len() as u64, Ordering::Relaxed) < LARGEST_LOG {
            let _ = (&self.0.file).write_all(bytes);
        }
    }

    /// Copies the extension's output until it ends; the ledger's lines go to the ledger instead.
    pub(crate) async fn copy_extension(self, output: impl AsyncRead + Unpin, ledger: UnboundedSender<Entry>) {
        let mut output = BufReader::new(output);
        let mut line = Vec::new();
        loop {
            line.clear();
            match (&mut output).take(LONGEST_LINE).read_until(b'\n', &mut line).await {
                Ok(0) | Err(_) => return,
                Ok(_) => match std::str::from_utf8(&line).ok().and_then(|text| Entry::from_line(text.trim_end())) {
                    // The ledger is closed when the platform ends.
                    Some(entry) => drop(ledger.send(entry)),
                    None => self.write(&line),
                },
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn lines_of_the_ledger_go_to_the_ledger_and_all_others_to_the_log() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f.log");
        let entry = Entry::Note { place: "f".into(), what: "plan not understood".into() };
        let output = format!("hello\n{}not a {{\"brownout\":1}} line\nno line break", entry.to_line());
        let (ledger, mut entries) = tokio::sync::mpsc::unbounded_channel();
        Log::open(&path).unwrap().copy_extension(output.as_bytes(), ledger).await;
        assert_eq!(entries.recv().await, Some(entry));
        assert_eq!(entries.recv().await, None);
        assert_eq!(std::fs::read_to_string(path).unwrap(), "hello\nnot a {\"brownout\":1} line\nno line break");
    }
}
