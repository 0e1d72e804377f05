//! The only place that reads `BROWNOUT_*` variables. Values that cannot be read are reported in the
//! ledger, and the extension then passes everything untouched: it must never prevent a function
//! from starting.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use crate::emf::Namespace;
use crate::plan_sources::appconfig::Configuration;

/// Where a plan comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PlanSetting {
    /// Nothing is set: there are no faults.
    None,
    /// `file:<path>`: a file that is polled.
    File(PathBuf),
    /// `json:<text>`: one fixed plan, in force from the start until its lease ends.
    Variable(String),
    /// `appconfig:<application>/<environment>/<configuration>`: AppConfig's agent is polled.
    AppConfig {
        /// The configuration.
        configuration: Configuration,
        /// The agent's port on loopback: `AWS_APPCONFIG_EXTENSION_HTTP_PORT`.
        port: u16,
    },
    /// `ssm:<name>` or `s3://<bucket>/<key>`: a separate program polls it.
    Fetched {
        /// The setting as it was given.
        address: String,
        /// The program's possible paths, best first; only `BROWNOUT_PLAN_FETCHER` if that is set.
        programs: Vec<PathBuf>,
    },
}

/// All settings of the extension.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// `host:port` of the Runtime API that events come from.
    pub upstream: String,
    /// `host:port` of the Extensions API; differs from `upstream` if proxies are chained.
    pub platform: String,
    /// Where the extension listens; always a loopback address.
    pub listen: SocketAddr,
    /// Where plans come from.
    pub plan: PlanSetting,
    /// The CloudWatch namespace of the metrics; without it none are written.
    pub metrics: Option<Namespace>,
    /// The function's name.
    pub function: String,
    /// The environment's name, which the rolls for its start depend on.
    pub environment: Option<String>,
    /// The function's memory, in bytes.
    pub function_memory: Option<u64>,
    /// Whether the function's calls to other hosts come through the extension: `BROWNOUT_OUTBOUND`
    /// is `on`. Off by default, because it changes the route of the calls: the runtime gets new
    /// values of `HTTPS_PROXY`, `HTTP_PROXY`, `NO_PROXY` and the `AWS_ENDPOINT_URL...` variables
    /// with `http://`.
    pub outbound: bool,
    /// The name to register under: the file name of this program.
    pub extension_name: String,
    /// The folder of the ready file.
    pub temporary_folder: PathBuf,
    /// The settings that could not be read, without their values.
    pub complaints: Vec<String>,
}

/// The default port of AppConfig's agent.
pub const APPCONFIG_PORT: u16 = 2772;

/// The extension's default address. It is not a port of FIS (9100), failure-lambda (9009), Datadog
/// (9000) or Lambda itself (9001).
pub const LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 9876);

impl Settings {
    /// Reads the process's variables; `None` if they name no Runtime API.
    pub fn read() -> Option<Self> {
        let name = std::env::args_os().next().map(PathBuf::from);
        let name = name.as_ref().and_then(|path| path.file_name()).map(|name| name.to_string_lossy().into_owned());
        Self::from(&|variable| std::env::var(variable).ok().filter(|value| !value.is_empty()), name)
    }

    /// The same from any list of variables.
    pub fn from(variable: &dyn Fn(&str) -> Option<String>, name: Option<String>) -> Option<Self> {
        let mut complaints = Vec::new();
        let platform = variable("AWS_LAMBDA_RUNTIME_API");
        let upstream = variable("BROWNOUT_UPSTREAM").or_else(|| platform.clone())?;
        Some(Self {
            platform: platform.unwrap_or_else(|| upstream.clone()),
            upstream,
            listen: variable("BROWNOUT_LISTEN").map_or(LISTEN, |text| listen(&text, &mut complaints)),
            plan: variable("BROWNOUT_PLAN").map_or(PlanSetting::None, |text| plan(text, variable, &mut complaints)),
            metrics: variable("BROWNOUT_EMF").and_then(|text| metrics(&text, &mut complaints)),
            function: variable("AWS_LAMBDA_FUNCTION_NAME").unwrap_or_default(),
            environment: variable("AWS_LAMBDA_LOG_STREAM_NAME"),
            function_memory: variable("AWS_LAMBDA_FUNCTION_MEMORY_SIZE").and_then(|mib| mib.parse::<u64>().ok()?.checked_mul(1 << 20)),
            outbound: variable("BROWNOUT_OUTBOUND").is_some_and(|text| outbound(&text, &mut complaints)),
            extension_name: name.unwrap_or_else(|| "brownout-extension".to_owned()),
            temporary_folder: variable("TMPDIR").map_or_else(|| PathBuf::from("/tmp"), PathBuf::from),
            complaints,
        })
    }
}

fn listen(text: &str, complaints: &mut Vec<String>) -> SocketAddr {
    match text.parse::<SocketAddr>() {
        Ok(address) if address.ip().is_loopback() => address,
        Ok(_) => {
            complaints.push(format!("`BROWNOUT_LISTEN` is not a loopback address; listening on `{LISTEN}`"));
            LISTEN
        }
        Err(_) => {
            complaints.push(format!("`BROWNOUT_LISTEN` is not an address and port; listening on `{LISTEN}`"));
            LISTEN
        }
    }
}

fn outbound(text: &str, complaints: &mut Vec<String>) -> bool {
    if !matches!(text, "on" | "off") {
        complaints.push("`BROWNOUT_OUTBOUND` is neither `on` nor `off`; the function's calls do not come through the extension".to_owned());
    }
    text == "on"
}

fn metrics(text: &str, complaints: &mut Vec<String>) -> Option<Namespace> {
    let namespace = Namespace::read(text);
    if namespace.is_none() {
        let what = "`BROWNOUT_EMF` is not a CloudWatch namespace (1 to 255 of A-Z a-z 0-9 . - _ / # : and space, not beginning with `:` or `AWS/`)";
        complaints.push(format!("{what}; there are no metrics"));
    }
    namespace
}

const PLAN_FORMS: &str = "`BROWNOUT_PLAN` must be `file:<path>`, `json:<plan>`, `ssm:<name>`, `s3://<bucket>/<key>` or \
                          `appconfig:<application>/<environment>/<configuration>`; there are no faults";

fn plan(text: String, variable: &dyn Fn(&str) -> Option<String>, complaints: &mut Vec<String>) -> PlanSetting {
    let (kind, rest) = text.split_once(':').unwrap_or_default();
    match kind {
        "file" if !rest.is_empty() => return PlanSetting::File(PathBuf::from(rest)),
        "json" => return PlanSetting::Variable(rest.to_owned()),
        "ssm" if !rest.is_empty() => return PlanSetting::Fetched { programs: fetchers(variable), address: text },
        "s3" if rest.strip_prefix("//").and_then(|path| path.split_once('/')).is_some_and(|(b, k)| !b.is_empty() && !k.is_empty()) => {
            return PlanSetting::Fetched { programs: fetchers(variable), address: text };
        }
        "appconfig" => {
            if let Some(configuration) = Configuration::parse(rest) {
                return PlanSetting::AppConfig { configuration, port: appconfig_port(variable, complaints) };
            }
        }
        _ => (),
    }
    complaints.push(PLAN_FORMS.to_owned());
    PlanSetting::None
}

fn appconfig_port(variable: &dyn Fn(&str) -> Option<String>, complaints: &mut Vec<String>) -> u16 {
    let Some(text) = variable("AWS_APPCONFIG_EXTENSION_HTTP_PORT") else { return APPCONFIG_PORT };
    text.parse().unwrap_or_else(|_| {
        complaints.push(format!("`AWS_APPCONFIG_EXTENSION_HTTP_PORT` is not a port; AppConfig's agent is asked on {APPCONFIG_PORT}"));
        APPCONFIG_PORT
    })
}

/// Lambda starts everything in `/opt/extensions`, so in the layer the fetcher is in a separate
/// folder.
fn fetchers(variable: &dyn Fn(&str) -> Option<String>) -> Vec<PathBuf> {
    if let Some(program) = variable("BROWNOUT_PLAN_FETCHER") {
        return vec![PathBuf::from(program)];
    }
    let Ok(own) = std::env::current_exe() else { return Vec::new() };
    let Some(folder) = own.parent() else { return Vec::new() };
    let beside = folder.parent().map(|above| above.join("brownout/brownout-plan-fetcher"));
    beside.into_iter().chain([folder.join("brownout-plan-fetcher")]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(variables: &[(&str, &str)]) -> Option<Settings> {
        let find = |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        Settings::from(&find, None)
    }

    #[test]
    fn the_runtime_api_is_the_upstream_unless_another_is_named() {
        let plain = settings(&[("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9001")]).unwrap();
        assert_eq!((plain.upstream.as_str(), plain.platform.as_str()), ("127.0.0.1:9001", "127.0.0.1:9001"));
        let chained = settings(&[("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9001"), ("BROWNOUT_UPSTREAM", "127.0.0.1:9009")]).unwrap();
        assert_eq!((chained.upstream.as_str(), chained.platform.as_str()), ("127.0.0.1:9009", "127.0.0.1:9001"));
        assert_eq!(settings(&[]), None);
    }

    #[test]
    fn a_wrong_setting_is_reported_and_never_quoted() {
        for (name, value, complaints) in [
            ("BROWNOUT_LISTEN", "127.0.0.2:4000", 0),
            ("BROWNOUT_LISTEN", "0.0.0.0:4000", 1),
            ("BROWNOUT_LISTEN", "secret", 1),
            ("BROWNOUT_PLAN", "file:/plan.json", 0),
            ("BROWNOUT_PLAN", "json:{}", 0),
            ("BROWNOUT_PLAN", "ssm:/plans/secret", 0),
            ("BROWNOUT_PLAN", "s3://bucket/plans/secret", 0),
            ("BROWNOUT_PLAN", "appconfig:app/prod/secret", 0),
            ("BROWNOUT_PLAN", "secret", 1),
            ("BROWNOUT_EMF", "Brownout", 0),
            ("BROWNOUT_EMF", "secret\n", 1),
            ("BROWNOUT_PLAN", "file:", 1),
            ("BROWNOUT_PLAN", "ssm:", 1),
            ("BROWNOUT_PLAN", "s3:secret", 1),
            ("BROWNOUT_PLAN", "s3://secret", 1),
            ("BROWNOUT_PLAN", "s3:///secret", 1),
            ("BROWNOUT_PLAN", "appconfig:app/secret", 1),
            ("BROWNOUT_OUTBOUND", "on", 0),
            ("BROWNOUT_OUTBOUND", "secret", 1),
        ] {
            let read = settings(&[("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9001"), (name, value)]).unwrap();
            assert_eq!(read.complaints.len(), complaints, "{name}={value}");
            assert!(read.listen.ip().is_loopback(), "{name}={value}");
            assert!(!read.complaints.iter().any(|text| text.contains("secret")), "{name}={value}");
        }
    }

    #[test]
    fn the_agents_port_and_the_fetchers_program_are_settings_too() {
        let read = |name: &str, value: &str, plan: &str| {
            let read = settings(&[("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9001"), ("BROWNOUT_PLAN", plan), (name, value)]).unwrap();
            (read.plan, read.complaints.len())
        };
        for (value, expected, complaints) in [("", 2772, 0), ("4000", 4000, 0), ("secret", 2772, 1)] {
            let name = if value.is_empty() { "UNSET" } else { "AWS_APPCONFIG_EXTENSION_HTTP_PORT" };
            let (plan, complained) = read(name, value, "appconfig:a/b/c");
            assert!(matches!(plan, PlanSetting::AppConfig { port, .. } if port == expected), "{value}");
            assert_eq!(complained, complaints, "{value}");
        }
        let (plan, _) = read("BROWNOUT_PLAN_FETCHER", "/f", "ssm:p");
        assert_eq!(plan, PlanSetting::Fetched { address: "ssm:p".into(), programs: vec!["/f".into()] });
        let (plan, _) = read("UNSET", "", "ssm:p");
        assert!(matches!(plan, PlanSetting::Fetched { programs, .. } if programs.len() == 2));
    }
}
