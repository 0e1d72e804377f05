//! What an exploration found: the matrix of places and ways, findings, journeys, coverage. The files
//! are made from it, and none of them concludes anything.

mod html;
mod junit;
mod model;
#[cfg(test)]
mod sample;
mod terminal;

use std::path::Path;
use std::{fs, io};

use serde::Serialize;

pub use model::{
    Accepted, Cell, Counts, Coverage, Done, End, Exploration, Finding, Injection, Journey, Outcome, Pair, Pairs, Place, Step, Way, Why,
};
pub use terminal::{conclusion, finding};

/// The files of an exploration in its folder, besides an experiment for each finding.
pub const FILES: [&str; 3] = ["explore.html", "explore.json", "explore.xml"];

/// Writes the files of an exploration.
///
/// # Errors
/// If one cannot be written.
pub fn write(exploration: &Exploration, folder: &Path) -> io::Result<()> {
    let [html, json, junit] = FILES;
    fs::write(folder.join(html), html::write(exploration))?;
    fs::write(folder.join(json), to_json(exploration))?;
    fs::write(folder.join(junit), junit::write(exploration).map_err(io::Error::other)?)
}

fn to_json(exploration: &Exploration) -> String {
    #[derive(Serialize)]
    struct Written<'a> {
        verdict: &'static str,
        coverage: Coverage,
        #[serde(flatten)]
        exploration: &'a Exploration,
    }
    let written = Written { verdict: exploration.verdict().name(), coverage: exploration.coverage(), exploration };
    serde_json::to_string_pretty(&written).unwrap_or_default() + "\n"
}

#[cfg(test)]
mod tests {
    use super::sample::exploration;
    use super::*;

    #[test]
    fn its_files_are_written_and_the_json_has_the_verdict_and_the_coverage() {
        let folder = tempfile::tempdir().unwrap();
        write(&exploration(), folder.path()).unwrap();
        for name in FILES {
            assert!(fs::metadata(folder.path().join(name)).unwrap().len() > 100, "{name}");
        }
        let json: serde_json::Value = serde_json::from_slice(&fs::read(folder.path().join("explore.json")).unwrap()).unwrap();
        assert_eq!((&json["verdict"], &json["coverage"]["tried"], &json["seed"]), (&"broken".into(), &3.into(), &7.into()));
        // To look at the sample, name a folder in BROWNOUT_KEEP_SAMPLE.
        if let Some(kept) = std::env::var_os("BROWNOUT_KEEP_SAMPLE") {
            fs::copy(folder.path().join("explore.html"), Path::new(&kept).join("explore.html")).unwrap();
        }
    }
}
