//! `print!`, `println!`, `eprint!` and `eprintln!` for this command: the standard ones panic once the reader has gone (`brownout faults | head`),
//! and a run that panics does not take its stack down in order.

use std::fmt::Arguments;
use std::io::{Error, ErrorKind, Write};
use std::sync::OnceLock;

/// Why standard output could not be written, the first time.
static FAILED: OnceLock<Error> = OnceLock::new();

fn write(mut output: impl Write, text: Arguments<'_>) -> Result<(), Error> {
    output.write_fmt(text).and_then(|()| output.flush())
}

/// Writes to standard output as far as somebody reads.
pub fn out(text: Arguments<'_>) {
    keep(write(std::io::stdout().lock(), text));
}

/// Writes to standard error; where nobody can be told, nobody is.
pub fn err(text: Arguments<'_>) {
    let _ = write(std::io::stderr().lock(), text);
}

/// Keeps why standard output could not be written. A reader that has gone has read what it wanted.
pub fn keep(written: Result<(), Error>) {
    if let Some(cause) = written.err().filter(|cause| cause.kind() != ErrorKind::BrokenPipe) {
        let _ = FAILED.set(cause);
    }
}

/// Why standard output could not be written.
pub fn failure() -> Option<&'static Error> {
    FAILED.get()
}

macro_rules! print {
    ($($text:tt)*) => { $crate::print::out(format_args!($($text)*)) };
}

macro_rules! println {
    ($($text:tt)*) => { $crate::print::out(format_args!("{}\n", format_args!($($text)*))) };
}

macro_rules! eprint {
    ($($text:tt)*) => { $crate::print::err(format_args!($($text)*)) };
}

macro_rules! eprintln {
    ($($text:tt)*) => { $crate::print::err(format_args!("{}\n", format_args!($($text)*))) };
}
