//! `print!`, `println!`, `eprint!` and `eprintln!` for this command: the standard ones panic once
//! the reader has exited (`brownout faults | head`), and a run that panics does not take down its
//! stack cleanly. `page!` and what goes to standard error is for people, and fits their terminal.

use std::fmt::Arguments;
use std::io::{Error, ErrorKind, Write};
use std::sync::OnceLock;

use console::Term;

use crate::fold::{columns, fold};

/// The first error of standard output.
static FAILED: OnceLock<Error> = OnceLock::new();

fn write(mut output: impl Write, text: Arguments<'_>) -> Result<(), Error> {
    output.write_fmt(text).and_then(|()| output.flush())
}

/// Writes to standard output, as long as there is a reader.
pub fn out(text: Arguments<'_>) {
    keep(write(std::io::stdout().lock(), text));
}

/// Writes text for people to standard output.
pub fn page(text: Arguments<'_>) {
    match columns(&Term::stdout()) {
        Some(columns) => out(format_args!("{}", fold(&text.to_string(), columns))),
        None => out(text),
    }
}

/// Writes to standard error, and ignores failures.
pub fn err(text: Arguments<'_>) {
    let _ = match columns(&Term::stderr()) {
        Some(columns) => write(std::io::stderr().lock(), format_args!("{}", fold(&text.to_string(), columns))),
        None => write(std::io::stderr().lock(), text),
    };
}

/// Keeps the error of standard output. A closed pipe is not an error.
pub fn keep(written: Result<(), Error>) {
    if let Some(cause) = written.err().filter(|cause| cause.kind() != ErrorKind::BrokenPipe) {
        let _ = FAILED.set(cause);
    }
}

/// The error of standard output, if there was one.
pub fn failure() -> Option<&'static Error> {
    FAILED.get()
}

macro_rules! print {
    ($($text:tt)*) => { $crate::print::out(format_args!($($text)*)) };
}

macro_rules! println {
    ($($text:tt)*) => { $crate::print::out(format_args!("{}\n", format_args!($($text)*))) };
}

macro_rules! page {
    ($($text:tt)*) => { $crate::print::page(format_args!($($text)*)) };
}

macro_rules! eprint {
    ($($text:tt)*) => { $crate::print::err(format_args!($($text)*)) };
}

macro_rules! eprintln {
    ($($text:tt)*) => { $crate::print::err(format_args!("{}\n", format_args!($($text)*))) };
}
