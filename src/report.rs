//! `brownout report`: the report of a run, rendered again from the files of the run.

use std::error::Error;
use std::path::Path;

/// Renders again; the exit code is 0 for every verdict, because nothing was run.
pub fn report(folder: &Path) -> Result<u8, Box<dyn Error>> {
    let report = reports::render_again(folder)
        .map_err(|error| format!("`{}` is not the folder of a run: {}", folder.display(), protocol::chain(&error)))?;
    page!("{}: {}\n", report.verdict.name(), report.sentence);
    println!("{}", folder.join("report.html").display());
    Ok(0)
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
