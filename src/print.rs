//! `print!`, `println!`, `eprint!` and `eprintln!` for this command: the standard ones panic once the reader has gone (`brownout faults | head`),
//! and a run that panics does not take its stack down in order.

use std::fmt::Arguments;
use std::io::Write;

/// Writes as far as somebody reads.
pub fn to(mut output: impl Write, text: Arguments<'_>) {
    let _ = output.write_fmt(text).and_then(|()| output.flush());
}

macro_rules! print {
    ($($text:tt)*) => { $crate::print::to(std::io::stdout().lock(), format_args!($($text)*)) };
}

macro_rules! println {
    ($($text:tt)*) => { $crate::print::to(std::io::stdout().lock(), format_args!("{}\n", format_args!($($text)*))) };
}

macro_rules! eprint {
    ($($text:tt)*) => { $crate::print::to(std::io::stderr().lock(), format_args!($($text)*)) };
}

macro_rules! eprintln {
    ($($text:tt)*) => { $crate::print::to(std::io::stderr().lock(), format_args!("{}\n", format_args!($($text)*))) };
}
