//! `nodejsNN.x`: the machine's Node with the client `aws-lambda-ric`, or with our own where it has
//! none. It installs nothing.

use std::path::{Path, PathBuf};

use super::clients::Client;
use super::{Asked, Launch, Variable, find, joined};

/// `BROWNOUT_NODE`, else `node`; the client is looked for in the function's `node_modules` and then
/// in the folders of `NODE_PATH`. Code is looked for in the layers too.
pub(super) fn launch(
    runtime: &str,
    handler: &str,
    folder: &Path,
    opt: Option<&Path>,
    variable: Variable<'_>,
    asked: &Asked,
) -> Result<Launch, String> {
    let wanted = variable("BROWNOUT_NODE").map_or_else(|| PathBuf::from("node"), PathBuf::from);
    let program = find(&wanted, variable)
        .ok_or_else(|| format!("found no `{}`; install Node or name an interpreter in `BROWNOUT_NODE`", wanted.display()))?;
    let path = variable("NODE_PATH");
    let folders = path.iter().flat_map(std::env::split_paths);
    let mut candidates = std::iter::once(folder.join("node_modules")).chain(folders).map(|modules| modules.join("aws-lambda-ric"));
    // An installation without cmake lacks its native part.
    let client = candidates.find(|client| client.join("bin/index.mjs").is_file() && client.join("dist/rapid-client.node").is_file());
    let lines = asked.lines(&program, &["--version"], None);
    let Some(version) = lines.first().and_then(|line| line.strip_prefix('v')) else {
        return Err(format!("`{}` is no Node that runs; install Node or name an interpreter in `BROWNOUT_NODE`", program.display()));
    };
    let number = runtime.trim_start_matches("nodejs").trim_end_matches(".x");
    let differs = version.split('.').next() != Some(number);
    let mut notices = Vec::new();
    if differs {
        notices.push(format!("`{runtime}` runs on Node {version} (`{}`)", program.display()));
    }
    let arguments = match client {
        Some(client) => vec![client.join("bin/index.mjs").into(), handler.into()],
        None => {
            notices.push(
                "Node finds no `aws-lambda-ric` with its native part, so brownout's own runtime client serves; `npm install aws-lambda-ric` \
                 for AWS's"
                    .to_owned(),
            );
            vec![asked.clients.path(Client::Node).into()]
        }
    };
    // In this order. Source: Lambda, "Working with layers for Node.js Lambda functions".
    let of_layers = opt.map(|opt| [opt.join("nodejs").join(format!("node{number}/node_modules")), opt.join("nodejs/node_modules")]);
    let paths = joined(of_layers.into_iter().flatten(), path.as_ref()).map(|list| ("NODE_PATH", list)).into_iter().collect();
    Ok(Launch { program, arguments, paths, notices })
}
