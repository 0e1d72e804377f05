//! Reads from a program which glibc it needs. It must never guess: anything it cannot read is an
//! error.

use std::error::Error;
use std::fmt;
use std::str::FromStr;

use object::elf::FileHeader64;
use object::read::elf::FileHeader;

/// A version of glibc's symbols, such as 2.26.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Glibc {
    major: u16,
    minor: u16,
    patch: u16,
}

impl fmt::Display for Glibc {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}", self.major, self.minor)?;
        if self.patch > 0 { write!(formatter, ".{}", self.patch) } else { Ok(()) }
    }
}

impl FromStr for Glibc {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = |_| format!("`{text}` is no version of glibc; such as 2.26");
        let mut parts = text.splitn(3, '.').map(str::parse);
        let mut part = || parts.next().unwrap_or(Ok(0)).map_err(wrong);
        Ok(Self { major: part()?, minor: part()?, patch: part()? })
    }
}

/// The newest glibc that a program needs; `None` if it needs none, like a static program.
///
/// # Errors
/// If the bytes are not a 64-bit ELF program for `machine`, or need a glibc version without a
/// number.
pub fn glibc_needed(program: &[u8], machine: u16) -> Result<Option<Glibc>, Box<dyn Error>> {
    let header = FileHeader64::<object::Endianness>::parse(program)?;
    let endian = header.endian()?;
    if header.e_machine(endian) != machine {
        return Err(format!("it is for machine {} of the ELF list, not {machine}", header.e_machine(endian)).into());
    }
    let sections = header.sections(endian, program)?;
    let Some((mut files, link)) = sections.gnu_verneed(endian, program)? else { return Ok(None) };
    let strings = sections.strings(endian, program, link)?;
    let mut newest = None;
    while let Some((_, mut versions)) = files.next()? {
        while let Some(version) = versions.next()? {
            let name = String::from_utf8_lossy(version.name(endian, strings)?);
            // Other libraries' versions, such as GCC_3.0, are older than any glibc that matters here.
            let Some(number) = name.strip_prefix("GLIBC_") else { continue };
            let number: Glibc = number.parse().map_err(|_| format!("it needs `{name}`, which only some versions of glibc have"))?;
            newest = newest.max(Some(number));
        }
    }
    Ok(newest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        let version = |text: &str| text.parse::<Glibc>().unwrap();
        assert!(version("2.4") < version("2.26") && version("2.26") < version("2.26.1") && version("2.2.5") < version("2.17"));
        assert_eq!(version("2.2.5").to_string(), "2.2.5");
        for wrong in ["", "2.x", "PRIVATE", "ABI_DT_RELR", "2.1.2.3"] {
            assert!(wrong.parse::<Glibc>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn this_test_program_needs_a_glibc_and_text_is_refused() {
        let machine = if cfg!(target_arch = "x86_64") { object::elf::EM_X86_64 } else { object::elf::EM_AARCH64 };
        let program = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let needed = glibc_needed(&program, machine).unwrap();
        assert!(cfg!(target_feature = "crt-static") || needed > Some("2.2".parse().unwrap()), "{needed:?}");
        assert!(glibc_needed(&program, 1).is_err());
        assert!(glibc_needed(b"#!/bin/sh", machine).is_err());
    }
}
