//! Any line is an entry or is rejected, and an entry reads back from its own line.

#![no_main]

use faults::Entry;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    // So that the fuzzer need not find the opening again each time.
    for line in [text.to_string(), format!("{{\"brownout\":{text}}}")] {
        let Some(entry) = Entry::from_line(&line) else { continue };
        let written = entry.to_line();
        assert_eq!(written.matches('\n').count(), 1, "one line");
        assert_eq!(Entry::from_line(written.trim_end()), Some(entry));
    }
});
