//! One file a format. Each is made from the [`Report`] and, for the charts, the histograms; none of them concludes anything.

pub mod html;
pub mod interval_log;
pub mod junit;
pub mod result_json;
pub mod summary_md;

use std::path::Path;
use std::{fs, io};

use crate::latencies::Latencies;
use crate::report::Report;

/// One format.
#[derive(Debug)]
pub struct Format {
    /// Its module.
    pub module: &'static str,
    /// The file in the run's folder.
    pub file: &'static str,
    made: Made,
}

/// When it is made.
#[derive(Debug)]
enum Made {
    /// During the run.
    Meanwhile,
    /// Once, when the run is judged.
    Once(fn(&Report) -> String),
    /// When the run is judged, and whenever the report is rendered again.
    Again(fn(&Report, &Latencies) -> io::Result<String>),
}

/// All formats.
pub const FORMATS: [Format; 5] = [
    Format { module: "html", file: "report.html", made: Made::Again(|report, latencies| Ok(html::write(report, latencies))) },
    Format { module: "interval_log", file: "latency.hlog", made: Made::Meanwhile },
    Format { module: "junit", file: "junit.xml", made: Made::Again(|report, _| junit::write(report).map_err(io::Error::other)) },
    Format { module: "result_json", file: "result.json", made: Made::Once(result_json::write) },
    Format { module: "summary_md", file: "summary.md", made: Made::Again(|report, _| Ok(summary_md::write(report))) },
];

/// Why a folder's report cannot be rendered again.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// A file is missing or cannot be written.
    #[error("`{0}` cannot be read or written: {1}")]
    File(&'static str, io::Error),
    /// `result.json` has another format.
    #[error(transparent)]
    Result(#[from] result_json::ResultError),
    /// `latency.hlog` has another format.
    #[error(transparent)]
    Log(#[from] interval_log::LogError),
}

/// Writes all files that are made from a report.
///
/// # Errors
/// If a file cannot be written.
pub fn write_all(folder: &Path, report: &Report, latencies: &Latencies) -> io::Result<()> {
    for Format { file, made, .. } in FORMATS {
        if let Made::Once(write) = made {
            fs::write(folder.join(file), write(report))?;
        }
    }
    write_rendered(folder, report, latencies)
}

fn write_rendered(folder: &Path, report: &Report, latencies: &Latencies) -> io::Result<()> {
    for Format { file, made, .. } in FORMATS {
        if let Made::Again(write) = made {
            fs::write(folder.join(file), write(report, latencies)?)?;
        }
    }
    Ok(())
}

/// Renders a folder's report again from its `result.json` and `latency.hlog`, and does not change
/// those two.
///
/// # Errors
/// If one of the two is missing or has another format, or a file cannot be written.
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
    use crate::sample::{an_hour, healthy, slow};

    /// To look at the samples, name a folder in BROWNOUT_KEEP_SAMPLE.
    fn keep_sample(folder: &Path, name: &str) {
        if let Some(kept) = std::env::var_os("BROWNOUT_KEEP_SAMPLE") {
            fs::copy(folder.join("report.html"), Path::new(&kept).join(format!("{name}.html"))).unwrap();
        }
    }

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
        assert_eq!(files, FORMATS.map(|format| format.module));
    }

    #[test]
    fn a_report_rendered_again_is_the_same_to_the_byte() {
        let folder = tempfile::tempdir().unwrap();
        for mut measured in [healthy(), slow()] {
            let report = crate::judge::judge(&measured);
            let mut log =
                crate::formats::interval_log::IntervalLogWriter::new(fs::File::create(folder.path().join("latency.hlog")).unwrap(), 0)
                    .unwrap();
            for interval in measured.latencies.close_before(u32::MAX) {
                log.write(&interval).unwrap();
            }
            write_all(folder.path(), &report, &measured.latencies).unwrap();
            let before = ["report.html", "summary.md", "junit.xml"].map(|name| fs::read_to_string(folder.path().join(name)).unwrap());
            assert_eq!(render_again(folder.path()).unwrap(), report);
            let after = ["report.html", "summary.md", "junit.xml"].map(|name| fs::read_to_string(folder.path().join(name)).unwrap());
            assert!(before == after, "a file differs");
            keep_sample(folder.path(), report.verdict.name());
        }
    }

    #[test]
    fn the_page_of_an_hour_with_ten_endpoints_is_under_300_kb() {
        let measured = an_hour();
        assert_eq!(measured.latencies.endpoints().len(), 10);
        let folder = tempfile::tempdir().unwrap();
        write_all(folder.path(), &crate::judge::judge(&measured), &measured.latencies).unwrap();
        let page = fs::read_to_string(folder.path().join("report.html")).unwrap();
        keep_sample(folder.path(), "an-hour");
        assert_eq!(page.matches("<svg ").count(), 12, "three endpoints with four charts each");
        assert!(page.len() < 300_000, "{} bytes", page.len());
    }

    #[test]
    fn a_folder_without_a_run_says_what_is_missing() {
        let folder = tempfile::tempdir().unwrap();
        assert!(render_again(folder.path()).unwrap_err().to_string().contains("result.json"));
    }
}
