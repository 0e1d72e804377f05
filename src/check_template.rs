//! `brownout check TEMPLATE`: what of a template is served here, what is not and which functions may
//! miss it, and what AWS would refuse. It starts and changes nothing.

use std::error::Error;
use std::fmt::Write;
use std::path::Path;

use serde_json::{Map, Value, json};
use stack::platform::runtimes::MissingRuntime;
use template::blueprint::Function;
use template::files::Folder;
use template::find::find;
use template::notices::{Notice, Position, Refusal};
use template::summary::summary;
use template::{Missing, Source, Template, TemplateError, samconfig};

use crate::cli::{Check, TemplateOptions};
use crate::exit::COULD_NOT_RUN;

/// Checks one template; the exit code is 0 if the stack can start, else 2.
///
/// # Errors
/// If the template or its parameters cannot be read.
pub fn check(path: &str, arguments: &Check) -> Result<u8, Box<dyn Error>> {
    let found = find(Path::new(path))?;
    let text = found.read()?;
    let TemplateOptions { parameters: given, config_env } = &arguments.template;
    let parameters = samconfig::gathered(&text, &found.folder, config_env.as_deref(), &given.iter().cloned().collect())?;
    let files = Folder::new(found.folder.clone());
    let read = Template::read_source(Source { text: &text, parameters: &parameters, files: &files });
    let read = read.map(|template| with_missing(template, &found.folder));
    let read = if arguments.strict { read.and_then(Template::strict) } else { read };
    let file = found.file.display().to_string();
    match (&read, arguments.json) {
        (read, true) => println!("{}", as_json(&file, read)),
        (Ok(template), false) => page!("{}", served(&file, template)),
        (Err(error), false) => {
            page!("{}", not_served(&error.notices));
            eprint!("{}", refused(&file, &text, error));
        }
    }
    Ok(if read.is_ok() { 0 } else { COULD_NOT_RUN })
}

/// Adds a notice for each function whose runtime this machine lacks.
fn with_missing(mut template: Template, folder: &Path) -> Template {
    let missing = stack::platform::runtimes::missing(&template.blueprint.functions, folder);
    let notice = |(function, why): (&Function, MissingRuntime)| Notice {
        functions: vec![function.resource.clone()],
        ..Notice::new(function.resource.clone(), why.to_string())
    };
    let notices: Vec<_> = missing.into_iter().map(notice).collect();
    template.notices.extend(notices);
    template
}

fn plural(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

fn served(file: &str, template: &Template) -> String {
    let mut out = format!("{file}: ok: the stack can start; {} not served\n", plural(template.notices.len(), "thing"));
    for part in summary(template) {
        list(&mut out, part.title, part.lines);
    }
    list(&mut out, "outputs", template.outputs.iter().map(|output| format!("{}: {}", output.name, output.value)).collect());
    out + &not_served(&template.notices)
}

fn not_served(notices: &[Notice]) -> String {
    let mut out = String::new();
    let line = |notice: &Notice| notice.position.map_or_else(|| notice.to_string(), |at| format!("{at}: {notice}"));
    list(&mut out, "not served here", notices.iter().map(line).collect());
    out
}

fn list(out: &mut String, title: &str, lines: Vec<String>) {
    if !lines.is_empty() {
        out.push_str(&format!("\n{title}:\n"));
        lines.iter().for_each(|line| out.push_str(&format!("- {line}\n")));
    }
}

fn refused(file: &str, text: &str, error: &TemplateError) -> String {
    let TemplateError { refusals, missing, .. } = error;
    let mut out = String::new();
    for Refusal { complaint, position } in refusals {
        let at = position.map(|at| format!(":{at}")).unwrap_or_default();
        let _ = writeln!(out, "error: {file}{at}: {complaint}");
        out.push_str(&position.map(|at| excerpt(text, at)).unwrap_or_default());
    }
    for missing in missing {
        let _ = writeln!(out, "error: {file}: parameter `{}`: {missing}", missing.name);
    }
    let counts = [(refusals.len(), "complaint"), (missing.len(), "missing parameter")];
    let counts: Vec<_> = counts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| plural(*count, what)).collect();
    let _ = writeln!(out, "error: {file}: {}; nothing was started", counts.join(", "));
    out
}

/// The line of a position, with a mark below its column.
fn excerpt(text: &str, at: Position) -> String {
    let Some(line) = text.lines().nth(at.line.saturating_sub(1)) else { return String::new() };
    // A template of `cdk synth` or a minified one may have lines of any length.
    let from = at.column.saturating_sub(40);
    let shown: String = line.chars().skip(from).take(100).map(|c| if c == '\t' { ' ' } else { c }).collect();
    format!("  {shown}\n  {}^\n", " ".repeat(at.column.saturating_sub(from + 1)))
}

fn as_json(file: &str, read: &Result<Template, TemplateError>) -> Value {
    let notice = |notice: &Notice| {
        let Notice { place, what, functions, position } = notice;
        placed(*position, json!({ "place": place, "what": what, "functions": functions }))
    };
    let refusal = |refusal: &Refusal| placed(refusal.position, json!({ "place": refusal.complaint.key, "what": refusal.complaint.what }));
    let missing = |missing: &Missing| {
        let Missing { name, kind, description, allowed, ssm } = missing;
        json!({ "name": name, "type": kind, "description": description, "allowed": allowed, "ssm": ssm })
    };
    let (served, outputs) = read.as_ref().map_or_else(
        |_| (Map::new(), Map::new()),
        |template| {
            let served = summary(template).into_iter().map(|part| (part.title.replace(' ', "-"), part.lines.into()));
            (served.collect(), template.outputs.iter().map(|output| (output.name.clone(), output.value.clone().into())).collect())
        },
    );
    let notices = read.as_ref().map_or_else(|error| &error.notices, |template| &template.notices);
    let error = read.as_ref().err();
    json!({
        "template": file,
        "can-start": error.is_none(),
        "served": served,
        "outputs": outputs,
        "not-served": notices.iter().map(notice).collect::<Vec<_>>(),
        "contradictory": error.into_iter().flat_map(|error| &error.refusals).map(refusal).collect::<Vec<_>>(),
        "missing": error.into_iter().flat_map(|error| &error.missing).map(missing).collect::<Vec<_>>(),
    })
}

fn placed(position: Option<Position>, mut finding: Value) -> Value {
    if let (Some(Position { line, column }), Some(fields)) = (position, finding.as_object_mut()) {
        fields.insert("line".to_owned(), line.into());
        fields.insert("column".to_owned(), column.into());
    }
    finding
}
