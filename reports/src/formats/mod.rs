//! One file a format. Each is made from the [`Report`] and, for the charts, the histograms; none of them concludes anything.

pub mod html;
pub mod interval_log;
pub mod junit;
pub mod result_json;
pub mod summary_md;

use std::path::Path;
use std::{fs, io};

use crate::{Latencies, Report};

/// The names of the modules of this folder.
pub const NAMES: [&str; 5] = ["html", "interval_log", "junit", "result_json", "summary_md"];

/// Why a folder's report cannot be rendered again.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// A file is missing or cannot be written.
    #[error("`{0}` cannot be read or written: {1}")]
    File(&'static str, io::Error),
    /// `result.json` is of another form.
    #[error(transparent)]
    Result(#[from] result_json::ResultError),
    /// `latency.hlog` is of another form.
    #[error(transparent)]
    Log(#[from] interval_log::LogError),
}

/// Writes `result.json`, `report.html`, `summary.md` and `junit.xml`.
///
/// # Errors
/// Where a file cannot be written.
pub fn write_all(folder: &Path, report: &Report, latencies: &Latencies) -> io::Result<()> {
    fs::write(folder.join("result.json"), result_json::write(report))?;
    write_rendered(folder, report, latencies)
}

fn write_rendered(folder: &Path, report: &Report, latencies: &Latencies) -> io::Result<()> {
    fs::write(folder.join("report.html"), html::write(report, latencies))?;
    fs::write(folder.join("summary.md"), summary_md::write(report))?;
    fs::write(folder.join("junit.xml"), junit::write(report).map_err(io::Error::other)?)
}

/// Renders a folder's report again from its `result.json` and `latency.hlog`, and leaves those two as they are.
///
/// # Errors
/// Where one of the two is missing or of another form, or where a file cannot be written.
pub fn render_again(folder: &Path) -> Result<Report, RenderError> {
    let read = |name: &'static str| fs::read_to_string(folder.join(name)).map_err(|error| RenderError::File(name, error));
    let report = result_json::read(&read("result.json")?)?;
    let latencies = interval_log::read_interval_log(&read("latency.hlog")?)?;
    write_rendered(folder, &report, &latencies).map_err(|error| RenderError::File("report.html", error))?;
    Ok(report)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{healthy, slow};

    #[test]
    fn every_file_of_the_folder_is_in_the_list() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/formats");
        let mut files: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|e| e == "rs"))
            .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
            .filter(|name| name != "mod")
            .collect();
        files.sort();
        assert_eq!(files, NAMES);
    }

    #[test]
    fn a_report_rendered_again_is_the_same_to_the_byte() {
        let folder = tempfile::tempdir().unwrap();
        for mut measured in [healthy(), slow()] {
            let report = crate::judge(&measured);
            let mut log = crate::IntervalLogWriter::new(fs::File::create(folder.path().join("latency.hlog")).unwrap(), 0).unwrap();
            for interval in measured.latencies.close_before(u32::MAX) {
                log.write(&interval).unwrap();
            }
            write_all(folder.path(), &report, &measured.latencies).unwrap();
            let before = ["report.html", "summary.md", "junit.xml"].map(|name| fs::read_to_string(folder.path().join(name)).unwrap());
            assert_eq!(render_again(folder.path()).unwrap(), report);
            let after = ["report.html", "summary.md", "junit.xml"].map(|name| fs::read_to_string(folder.path().join(name)).unwrap());
            assert!(before == after, "a file differs");
            // For looking at it: BROWNOUT_KEEP_SAMPLE names a folder.
            if let Some(kept) = std::env::var_os("BROWNOUT_KEEP_SAMPLE") {
                let name = format!("{}.html", report.verdict.name());
                fs::copy(folder.path().join("report.html"), Path::new(&kept).join(name)).unwrap();
            }
        }
    }

    #[test]
    fn a_folder_without_a_run_says_what_is_missing() {
        let folder = tempfile::tempdir().unwrap();
        assert!(render_again(folder.path()).unwrap_err().to_string().contains("result.json"));
    }
}
