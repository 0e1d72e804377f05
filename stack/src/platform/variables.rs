//! The variables that a function's processes get: Lambda's, this machine's, the function's own. It
//! reads none of this process's variables.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::deployed::{Deployed, Machine};
use super::names;
use super::room::Room;
use super::runtimes::Code;
use template::blueprint::LogFormat;

/// The script through which a managed runtime starts; OS-only runtimes ignore it.
pub(crate) const WRAPPER: &str = "AWS_LAMBDA_EXEC_WRAPPER";

/// The variables of one environment. Lambda's own override the function's, as at AWS.
pub(crate) fn of(deployed: &Deployed, api: SocketAddr, room: &Room) -> BTreeMap<String, String> {
    let function = &deployed.function;
    let machine = &deployed.machine;
    let mut variables = machine.variables.clone();
    variables.extend(function.variables.clone());
    // The function may set these; Lambda's are only the defaults.
    for (name, value) in room.variables(deployed) {
        if name == "LAMBDA_TASK_ROOT" || !function.variables.contains_key(name) {
            variables.insert(name.to_owned(), value);
        }
    }
    let port = api.port();
    for (name, value) in [
        ("AWS_LAMBDA_FUNCTION_NAME", function.name.clone()),
        ("AWS_LAMBDA_FUNCTION_VERSION", deployed.version().to_owned()),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", function.memory_mb.to_string()),
        ("AWS_LAMBDA_LOG_GROUP_NAME", format!("/aws/lambda/{}", function.name)),
        ("AWS_LAMBDA_LOG_STREAM_NAME", names::log_stream(deployed.version())),
        ("AWS_LAMBDA_LOG_FORMAT", log_format(function.log_format).to_owned()),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand".to_owned()),
        ("AWS_LAMBDA_RUNTIME_API", format!("127.0.0.1:{port}")),
        ("AWS_REGION", deployed.region().to_owned()),
        ("AWS_DEFAULT_REGION", deployed.region().to_owned()),
        ("AWS_XRAY_CONTEXT_MISSING", "LOG_ERROR".to_owned()),
        ("LAMBDA_RUNTIME_DIR", "/var/runtime".to_owned()),
        ("_HANDLER", function.code.handler().to_owned()),
        ("TZ", ":UTC".to_owned()),
        ("LANG", "en_US.UTF-8".to_owned()),
        ("BROWNOUT_STACK", machine.marker.clone()),
    ] {
        variables.insert(name.to_owned(), value);
    }
    if let Some(wrapper) = variables.get_mut(WRAPPER) {
        *wrapper = room.find(deployed, wrapper);
    }
    if machine.extension.is_some() {
        if matches!(function.code, Code::Managed { .. }) {
            through_the_layer(machine, &mut variables);
        }
        // The same port on another loopback address: no other process can have taken it meanwhile.
        variables.insert("BROWNOUT_LISTEN".to_owned(), format!("127.0.0.2:{port}"));
        variables.insert("BROWNOUT_PLAN".to_owned(), format!("file:{}", machine.plan.display()));
    }
    // The services learn from it which function calls: see `services::wire::function`.
    if machine.follow.get().is_some() {
        variables.insert("AWS_SESSION_TOKEN".to_owned(), function.name.clone());
    }
    variables.extend(function.code.execution_environment().map(|name| ("AWS_EXECUTION_ENV".to_owned(), name)));
    variables
}

fn log_format(format: LogFormat) -> &'static str {
    match format {
        LogFormat::Text => "Text",
        LogFormat::Json => "JSON",
    }
}

/// The variables that a user sets when adding the layer to a function: a wrapper that the function
/// had before runs after brownout's.
fn through_the_layer(machine: &Machine, variables: &mut BTreeMap<String, String>) {
    if let Some(before) = variables.insert(WRAPPER.to_owned(), machine.wrapper.display().to_string()) {
        variables.insert("BROWNOUT_EXEC_WRAPPER".to_owned(), before);
    }
}
