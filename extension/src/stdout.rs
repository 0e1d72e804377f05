//! Writes the ledger's lines to standard output. Lines of two writers must never mix, and a closed
//! pipe must not stop the function.

use faults::Entry;

/// Writes one line with one write, without the buffer of the standard library.
pub(crate) fn write(line: &str) {
    let mut rest = line.as_bytes();
    while !rest.is_empty() {
        match rustix::io::write(std::io::stdout(), rest) {
            Ok(written) => rest = rest.get(written..).unwrap_or_default(),
            Err(rustix::io::Errno::INTR) => (),
            // The pipe is closed: the function matters more than its ledger.
            Err(_) => return,
        }
    }
}

/// Writes a note to the ledger of `function`.
pub(crate) fn note(function: &str, what: &str) {
    write(&Entry::Note { place: function.to_owned(), what: what.to_owned() }.to_line());
}
