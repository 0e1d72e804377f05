//! `brownout report`: the report of a run, rendered again from the files of the run; or the first one of all workers of a load.

use std::error::Error;
use std::path::Path;

use reports::workers::{self, WorkersError};
use reports::{Report, load_table};
use run_folder::RunFolder;

use crate::run::shown;

/// Renders again; the exit code is 0 for every verdict, because nothing was run. Of workers it is the verdict's.
pub fn report(folder: &Path) -> Result<u8, Box<dyn Error>> {
    if workers::indices(folder).is_ok_and(|indices| !indices.is_empty()) {
        return of_workers(folder, false);
    }
    let report = reports::render_again(folder)
        .map_err(|error| format!("`{}` is not the folder of a run: {}", folder.display(), protocol::chain(&error)))?;
    page!("{}: {}\n", report.verdict.name(), report.sentence);
    println!("{}", folder.join("report.html").display());
    Ok(0)
}

/// Judges what all workers in `folder` measured; where one is not whole there is no verdict.
///
/// # Errors
/// If the folder cannot be written.
pub fn of_workers(folder: &Path, json: bool) -> Result<u8, Box<dyn Error>> {
    match workers::report(folder, RunFolder::is_under_way) {
        Ok(report) => {
            show(&report, folder, json)?;
            Ok(report.verdict.exit_code())
        }
        Err(WorkersError::Incomplete(problems)) => {
            problems.iter().for_each(|problem| eprintln!("error: {problem}"));
            eprintln!("error: there is no verdict: not every worker in `{}` is whole", folder.display());
            Ok(crate::exit::COULD_NOT_RUN)
        }
        Err(error) => Err(error.into()),
    }
}

/// Prints a report whose files are in `folder`.
///
/// # Errors
/// If they cannot be read.
pub fn show(report: &Report, folder: &Path, json: bool) -> Result<(), Box<dyn Error>> {
    if json {
        print!("{}", std::fs::read_to_string(folder.join("result.json"))?);
        return Ok(());
    }
    print!("{}", load_table::write(report));
    page!("\n{}: {}\n", report.verdict.name(), report.sentence);
    report.reasons.iter().skip(1).for_each(|reason| page!("- {reason}\n"));
    report.notes.iter().for_each(|note| eprintln!("note: {note}"));
    println!("report: {}", shown(&folder.join("report.html")));
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_file_of_a_report_belongs_to_a_run_and_is_in_the_readme() {
        for format in reports::formats::FORMATS {
            assert!(run_folder::folder::FILES.contains(&format.file), "{}", format.file);
            assert!(include_str!("../README.md").contains(&format!("`{}`", format.file)), "{}", format.file);
        }
    }
}
