//! Writes the ledger's lines to standard output. Lines of two writers must never mix, and a reader that is gone must not stop the function.

use faults::Entry;

/// One line with one write, past the buffer of the standard library.
pub(crate) fn write(line: &str) {
    let mut rest = line.as_bytes();
    while !rest.is_empty() {
        match rustix::io::write(std::io::stdout(), rest) {
            Ok(written) => rest = rest.get(written..).unwrap_or_default(),
            Err(rustix::io::Errno::INTR) => (),
            // The reader is gone: the function matters more than its ledger.
            Err(_) => return,
        }
    }
}

/// Says in the ledger of `function` what its reader should know.
pub(crate) fn note(function: &str, what: &str) {
    write(&Entry::Note { place: function.to_owned(), what: what.to_owned() }.to_line());
}
