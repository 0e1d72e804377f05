//! `brownout init`: proposes an experiment for a template. What it guesses is said, and what it
//! writes passes `brownout check` as it is.

mod bodies;
mod proposal;
mod requests;

use std::error::Error;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use ::template::files::Folder;
use ::template::find::{Found, find};
use ::template::{Source, Template, samconfig};

use crate::cli::Init;
use proposal::Proposal;

/// The file that is written.
const FILE: &str = "brownout.toml";

/// Writes an experiment beside a template, or prints it.
///
/// # Errors
/// If the template cannot be started, has nothing that answers requests, or an experiment is there
/// already.
pub fn init(arguments: &Init) -> Result<u8, Box<dyn Error>> {
    let asked = arguments.path.clone().unwrap_or_else(|| PathBuf::from("."));
    let found = find(&asked)?;
    let text = found.read()?;
    let given = arguments.options.parameters.iter().cloned().collect();
    let parameters = samconfig::gathered(&text, &found.folder, arguments.options.config_env.as_deref(), &given)?;
    let files = Folder::new(found.folder.clone());
    let template = Template::read_source(Source { text: &text, parameters: &parameters, files: &files })
        .map_err(|error| format!("`{}` cannot be started; `brownout check` shows each place: {error}", found.file.display()))?;
    let (folder, name) = place(&asked, &found);
    let bodies = bodies::of(&text, &files);
    let written = if arguments.options.config_env.is_some() { parameters } else { given };
    let Proposal { text, guesses } = proposal::of(&template, &name, &written, &bodies).ok_or_else(|| {
        format!("`{}` has no API and no function with a URL, so journeys have nothing to ask; `brownout up` starts it", name)
    })?;
    if arguments.print {
        print!("{text}");
        guesses.iter().for_each(|guess| eprintln!("note: {guess}"));
        return Ok(0);
    }
    let file = folder.join(FILE);
    write(&file, &text, arguments.force)?;
    page!("{}", told(&file, &guesses));
    Ok(0)
}

/// The folder of the experiment, and how it names the template. What a tool built is looked for
/// again, because the tool may write elsewhere next time.
fn place(asked: &Path, found: &Found) -> (PathBuf, String) {
    let beside = found.file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    if asked.is_dir() && asked.join(&beside) != found.file {
        return (asked.to_owned(), ".".to_owned());
    }
    (found.folder.clone(), beside)
}

fn write(file: &Path, text: &str, force: bool) -> Result<(), String> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).create_new(!force);
    let written = options.open(file).and_then(|mut open| open.write_all(text.as_bytes()));
    written.map_err(|why| match why.kind() {
        ErrorKind::AlreadyExists => format!("`{}` is there already; `--force` replaces it, `--print` only shows a new one", file.display()),
        _ => format!("`{}` cannot be written: {why}", file.display()),
    })
}

fn told(file: &Path, guesses: &[String]) -> String {
    let mut out = format!("wrote {}\n\nguessed, so look at it first:\n", file.display());
    guesses.iter().for_each(|guess| out.push_str(&format!("- {guess}\n")));
    out + &format!("\nbrownout check {0}    # checks it\nbrownout run {0}      # runs it\n", file.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_experiment_that_is_there_is_replaced_only_by_choice() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(FILE);
        write(&file, "first and longer", false).unwrap();
        let refused = write(&file, "second", false).unwrap_err();
        assert!(refused.contains("`--force` replaces it"), "{refused}");
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "first and longer");
        write(&file, "third", true).unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "third");
    }
}
