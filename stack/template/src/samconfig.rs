//! The parameters in `samconfig.toml`.

use std::collections::BTreeMap;
use std::path::Path;

use toml::{Table, Value};

use crate::parameter_names;

/// The file's name. Source: AWS SAM CLI, configuration file.
const NAME: &str = "samconfig.toml";

/// The commands whose parameters are read, the first one that has some. `global` is for all.
const COMMANDS: [&str; 4] = ["deploy", "local_start_api", "local_invoke", "global"];

/// The environment if none is named. Source: AWS SAM CLI, `--config-env`.
pub const DEFAULT_ENVIRONMENT: &str = "default";

/// Why the file was not read.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It cannot be read.
    #[error("`{NAME}` cannot be read")]
    Unreadable(#[source] std::io::Error),
    /// It is not TOML.
    #[error("`{NAME}` is not TOML: {0}")]
    Syntax(String),
    /// The environment that was asked for is not in it.
    #[error("`{NAME}` has no environment `{environment}`, there are: {known}")]
    Environment {
        /// The name that was asked for.
        environment: String,
        /// Those in the file.
        known: String,
    },
    /// `parameter_overrides` is invalid.
    #[error("`parameter_overrides` in `{NAME}`: {0}")]
    Overrides(String),
}

/// The parameters of an environment, from the file beside the template, or beside the folder
/// `.aws-sam` that the template is in. Without a file there are none; an environment that was asked
/// for must exist.
///
/// # Errors
/// If the file cannot be read, or its parameters are invalid.
pub fn read(folder: &Path, environment: Option<&str>) -> Result<BTreeMap<String, String>, ConfigError> {
    let above = if folder.ends_with(".aws-sam/build") { folder.ancestors().nth(2) } else { None };
    let beside = |folder: &Path| if folder.as_os_str().is_empty() { NAME.into() } else { folder.join(NAME) };
    let text = match std::fs::read_to_string(beside(above.unwrap_or(folder))) {
        Ok(text) => text,
        Err(why) if why.kind() == std::io::ErrorKind::NotFound && environment.is_none() => return Ok(BTreeMap::new()),
        Err(why) => return Err(ConfigError::Unreadable(why)),
    };
    parameters(&text, environment)
}

/// The parameters of a template that differ from their defaults: those that are `given`, then those of
/// the file, of which SAM takes only those that the template declares.
///
/// # Errors
/// As [`read`].
pub fn gathered(
    template: &str,
    folder: &Path,
    environment: Option<&str>,
    given: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, ConfigError> {
    let declared = parameter_names(template);
    let mut all = read(folder, environment)?;
    all.retain(|name, _| declared.contains(name));
    all.extend(given.clone());
    Ok(all)
}

fn parameters(text: &str, environment: Option<&str>) -> Result<BTreeMap<String, String>, ConfigError> {
    let file: Table = text.parse().map_err(|why: toml::de::Error| ConfigError::Syntax(why.message().to_owned()))?;
    let name = environment.unwrap_or(DEFAULT_ENVIRONMENT);
    let Some(chosen) = file.get(name).and_then(Value::as_table) else {
        if environment.is_none() {
            return Ok(BTreeMap::new());
        }
        let known: Vec<_> = file.iter().filter(|(_, value)| value.is_table()).map(|(name, _)| name.as_str()).collect();
        return Err(ConfigError::Environment { environment: name.to_owned(), known: known.join(", ") });
    };
    let of = |command: &&str| chosen.get(*command)?.get("parameters")?.get("parameter_overrides");
    let mut all = BTreeMap::new();
    if let Some(overrides) = COMMANDS.iter().find_map(of) {
        add(overrides, &mut all).map_err(ConfigError::Overrides)?;
    }
    Ok(all)
}

fn add(overrides: &Value, all: &mut BTreeMap<String, String>) -> Result<(), String> {
    match overrides {
        Value::String(text) if text.starts_with("file://") => Err(format!("found `{text}`, write the parameters into the file")),
        Value::String(text) => tokens(text).iter().try_for_each(|token| {
            let (name, value) = pair(token).ok_or_else(|| format!("found `{token}`, expected `Name=value`"))?;
            all.insert(name, value);
            Ok(())
        }),
        Value::Array(list) => list.iter().try_for_each(|one| add(one, all)),
        Value::Table(fields) => {
            let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            all.extend(fields.iter().map(|(name, value)| (name.clone(), text(value))));
            Ok(())
        }
        other => Err(format!("found `{other}`, expected a text, a list or a table")),
    }
}

/// The words of a text, quotes and backslashes heeded. Source: AWS SAM CLI, `CfnParameterOverridesType`.
fn tokens(text: &str) -> Vec<String> {
    let (mut all, mut token, mut quote) = (Vec::new(), String::new(), None);
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        match (c, quote) {
            ('\\', _) => token.extend(rest.next()),
            (c, Some(open)) if c == open => quote = None,
            ('"' | '\'', None) => quote = Some(c),
            (c, None) if c.is_whitespace() => all.push(std::mem::take(&mut token)),
            (c, _) => token.push(c),
        }
    }
    all.push(token);
    all.retain(|token| !token.is_empty());
    all
}

/// `Name=value`, or `ParameterKey=Name,ParameterValue=value`.
pub fn pair(token: &str) -> Option<(String, String)> {
    let (name, value) = match token.strip_prefix("ParameterKey=") {
        Some(rest) => rest.split_once(",ParameterValue=")?,
        None => token.split_once('=')?,
    };
    (!name.is_empty()).then(|| (name.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(overrides: &str) -> Result<BTreeMap<String, String>, ConfigError> {
        parameters(&format!("version = 0.1\n[default.deploy.parameters]\nparameter_overrides = {overrides}\n"), None)
    }

    #[test]
    fn texts_lists_and_tables_are_read_as_sam_does() {
        for overrides in [
            r#""Stage=dev Title=\"My app\" List=a,b Empty=\"\"""#,
            r#"["Stage=dev", "Title='My app'", "List=a,b", "Empty="]"#,
            r#""ParameterKey=Stage,ParameterValue=dev ParameterKey=Title,ParameterValue=\"My app\" ParameterKey=List,ParameterValue=\"a,b\" ParameterKey=Empty,ParameterValue=""#,
            r#"'Stage=dev Title=My\ app List="a,b" Empty='"#,
            r#"{ Stage = "dev", Title = "My app", List = "a,b", Empty = "" }"#,
        ] {
            let expected = [("Stage", "dev"), ("Title", "My app"), ("List", "a,b"), ("Empty", "")];
            let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
            assert_eq!(read_text(overrides).unwrap(), expected, "{overrides}");
        }
        for overrides in ["\"Stage\"", "5", "\"file://x\"", "\"=x\"", "[[1]]"] {
            assert!(read_text(overrides).is_err(), "{overrides}");
        }
    }

    #[test]
    fn an_environment_and_a_command_are_chosen() {
        let text = "[default.global.parameters]\nparameter_overrides = 'A=global'\n[prod.deploy.parameters]\nparameter_overrides = 'A=prod'\n[prod.global.parameters]\nparameter_overrides = 'A=other'\n[bare.build.parameters]\ncached = true\n";
        for (environment, value) in [(None, Some("global")), (Some("prod"), Some("prod")), (Some("bare"), None)] {
            assert_eq!(parameters(text, environment).unwrap().get("A").map(String::as_str), value, "{environment:?}");
        }
        let error = parameters(text, Some("stage")).unwrap_err().to_string();
        assert!(error.contains("bare, default, prod"), "{error}");
        assert!(matches!(parameters("a = [", None), Err(ConfigError::Syntax(_))));
    }

    #[test]
    fn the_file_is_beside_the_template_or_beside_what_sam_built() {
        let folder = tempfile::tempdir().unwrap();
        let built = folder.path().join(".aws-sam/build");
        std::fs::create_dir_all(&built).unwrap();
        assert_eq!(read(folder.path(), None).unwrap(), BTreeMap::new());
        assert!(read(folder.path(), Some("prod")).is_err());
        std::fs::write(folder.path().join(NAME), "[default.deploy.parameters]\nparameter_overrides = 'A=1'\n").unwrap();
        for place in [folder.path(), &built] {
            assert_eq!(read(place, None).unwrap()["A"], "1", "{}", place.display());
        }
        let all = |template: &str, given: &[(&str, &str)]| {
            let given = given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            gathered(template, folder.path(), None, &given).unwrap().into_iter().collect::<Vec<_>>()
        };
        assert_eq!(all("Parameters: {A: {}}", &[("B", "2")]), [("A".into(), "1".into()), ("B".into(), "2".into())]);
        assert_eq!(all("Parameters: {A: {}}", &[("A", "3")]), [("A".into(), "3".into())]);
        assert_eq!(all("Resources: {}", &[]), []);
    }
}
