//! Options that several commands share.

/// What a template is read with.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct TemplateOptions {
    /// Value of a parameter of the template, or of another stack's export [default: `parameter_overrides` in samconfig.toml, then the template's]
    #[arg(long = "parameter", value_name = "NAME=VALUE", value_parser = parameter)]
    pub parameters: Vec<(String, String)>,
    /// Environment in samconfig.toml [default: default]
    #[arg(long, value_name = "NAME")]
    pub config_env: Option<String>,
}

fn parameter(text: &str) -> Result<(String, String), String> {
    template::samconfig::pair(text).ok_or_else(|| "write `NAME=VALUE`".to_owned())
}
