//! Writes the ledger and the sightings: one line per entry, as they come. It never holds a line
//! back for longer than the flush interval, and never blocks the sender.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinHandle;

/// The most entries in one write.
const BATCH: usize = 1024;

/// Appends the line of every entry, including its line break, to the file at `path` until all
/// senders are gone. Whatever has arrived is written at once, in whole lines and in one call, so a
/// reader only waits for the system call.
///
/// # Errors
/// If the file cannot be opened. The task's result says whether all was written.
pub fn start<T: Send + 'static>(
    path: &Path,
    entries: UnboundedReceiver<T>,
    to_line: fn(&T) -> String,
) -> io::Result<JoinHandle<io::Result<()>>> {
    let file = File::options().create(true).append(true).open(path)?;
    Ok(tokio::spawn(write_all(file, entries, to_line)))
}

async fn write_all<T>(mut file: File, mut entries: UnboundedReceiver<T>, to_line: fn(&T) -> String) -> io::Result<()> {
    let mut batch = Vec::with_capacity(BATCH);
    let mut lines = String::new();
    while entries.recv_many(&mut batch, BATCH).await > 0 {
        lines.clear();
        batch.drain(..).for_each(|entry| lines.push_str(&to_line(&entry)));
        file.write_all(lines.as_bytes())?;
        // A thousand entries a second would be a thousand writes one by one. Collecting them for a
        // few milliseconds needs far fewer writes, and readers do not notice the delay.
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use faults::Entry;

    use super::*;
    use std::time::Duration;

    #[tokio::test]
    async fn entries_are_readable_while_the_senders_exist_and_complete_when_they_are_gone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.ndjson");
        let (sender, receiver) = tokio::sync::mpsc::unbounded_channel();
        let task = start(&path, receiver, Entry::to_line).unwrap();
        let entry = |number: usize| Entry::Note { place: "f".into(), what: number.to_string() };
        let read = || std::fs::read_to_string(&path).unwrap().lines().map(|line| Entry::from_line(line).unwrap()).collect::<Vec<_>>();
        sender.send(entry(0)).unwrap();
        let written = async {
            while read().is_empty() {
                tokio::time::sleep(Duration::from_millis(1)).await
            }
        };
        tokio::time::timeout(Duration::from_secs(5), written).await.unwrap();
        (1..5000).for_each(|number| sender.send(entry(number)).unwrap());
        drop(sender);
        task.await.unwrap().unwrap();
        assert_eq!(read(), (0..5000).map(entry).collect::<Vec<_>>());
    }
}
