//! `brownout report`: the report of a run, rendered again from what the run left.

use std::error::Error;
use std::path::Path;

/// Renders again; the exit code is 0 whatever the verdict was, since nothing was run.
pub fn report(folder: &Path) -> Result<u8, Box<dyn Error>> {
    let report = reports::render_again(folder)
        .map_err(|error| format!("`{}` is not the folder of a run: {}", folder.display(), crate::chain(&error)))?;
    println!("{}: {}", report.verdict.name(), report.sentence);
    println!("{}", folder.join("report.html").display());
    Ok(0)
}
