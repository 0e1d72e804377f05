//! The logs of the functions, from their files, in pieces that follow one another.

use std::io::SeekFrom;
use std::path::Path;

use serde_json::json;
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt};

use super::{Page, missing};
use crate::services::wire::{Answer, REST_JSON};

/// The most bytes in one answer, and how much of a log is shown first.
const PIECE: u64 = 64 * 1024;

/// A piece of a log.
#[derive(Debug, PartialEq, Eq)]
struct Piece {
    text: String,
    /// Where the next begins.
    next: u64,
}

impl Page {
    /// The log of a function from a position; without one its end.
    pub(super) async fn log(&self, function: &str, after: Option<u64>) -> Answer {
        let known = self.running.get().filter(|running| running.functions.iter().any(|it| it.name == function));
        let Some(running) = known else { return missing(&format!("found no function `{function}`")) };
        match piece(&running.folder.log(function), after).await {
            Ok(Piece { text, next }) => Answer::ok(REST_JSON, &json!({"text": text, "next": next})),
            // The log is created with the first environment.
            Err(_) => Answer::ok(REST_JSON, &json!({"text": "", "next": 0})),
        }
    }
}

async fn piece(path: &Path, after: Option<u64>) -> std::io::Result<Piece> {
    let mut file = File::open(path).await?;
    let end = file.metadata().await?.len();
    let from = after.filter(|after| *after <= end).unwrap_or_else(|| end.saturating_sub(PIECE));
    file.seek(SeekFrom::Start(from)).await?;
    let mut bytes = Vec::new();
    file.take(PIECE).read_to_end(&mut bytes).await?;
    // A line that is not whole yet comes with the next piece, but a very long one is cut.
    let whole = bytes.iter().rposition(|byte| *byte == b'\n').map(|at| at + 1);
    bytes.truncate(whole.unwrap_or(if bytes.len() as u64 >= PIECE { bytes.len() } else { 0 }));
    let next = from + bytes.len() as u64;
    // The first line of the end may be a part of one.
    let begins = if after.is_none() && from > 0 { bytes.iter().position(|byte| *byte == b'\n').map_or(0, |at| at + 1) } else { 0 };
    Ok(Piece { text: String::from_utf8_lossy(bytes.get(begins..).unwrap_or_default()).into_owned(), next })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_log_comes_in_whole_lines_that_follow_one_another() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f.log");
        std::fs::write(&path, "one\ntwo\nthr").unwrap();
        let first = piece(&path, None).await.unwrap();
        assert_eq!(first, Piece { text: "one\ntwo\n".into(), next: 8 });
        assert_eq!(piece(&path, Some(8)).await.unwrap(), Piece { text: String::new(), next: 8 });
        std::fs::write(&path, "one\ntwo\nthree\n").unwrap();
        assert_eq!(piece(&path, Some(8)).await.unwrap(), Piece { text: "three\n".into(), next: 14 });
        assert_eq!(piece(&path, Some(99)).await.unwrap().text, "one\ntwo\nthree\n", "the file was replaced");
    }

    #[tokio::test]
    async fn only_the_end_of_a_long_log_is_shown_and_a_long_line_is_cut() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f.log");
        std::fs::write(&path, "0123456789\n".repeat(10_000)).unwrap();
        let end = piece(&path, None).await.unwrap();
        assert!(end.text.starts_with("0123456789\n") && end.text.len() as u64 <= PIECE && end.next == 110_000);
        std::fs::write(&path, "x".repeat(200_000)).unwrap();
        let cut = piece(&path, Some(0)).await.unwrap();
        assert_eq!((cut.text.len() as u64, cut.next), (PIECE, PIECE));
    }
}
