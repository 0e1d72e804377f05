//! `brownout layer publish`: each zip becomes a version of the layer, and the lines for experiments are printed.

use std::error::Error;

use aws::publish::{MOST_BYTES, publish as version};
use aws::{Lambda, Patience};
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use protocol::{LAYER, LayerZip, Publish, chain};

/// Publishes, and prints what goes into experiments.
///
/// # Errors
/// If a zip is not what was built, or cannot be published. Zips before it are published then.
pub async fn publish(task: &Publish) -> Result<u8, Box<dyn Error>> {
    // Nothing is published while another zip is known to be wrong.
    let zips = task.zips.iter().map(|zip| Ok((zip, read(zip)?))).collect::<Result<Vec<_>, String>>()?;
    let config = aws::config(task.region.as_deref()).await;
    let region = config.region().ok_or("no Region is set; give `--region`, or set AWS_REGION")?.to_string();
    let lambda = Lambda::new(&config, Patience::default());
    let mut lines = String::new();
    for (LayerZip { architecture, code_sha, .. }, bytes) in zips {
        let published = version(&lambda, &task.name, architecture, &bytes, code_sha).await.map_err(|error| chain(&error))?;
        let done = if published.is_new { "published" } else { "there already" };
        say!("{done}: {} for {architecture}, CodeSha256 {code_sha}", published.arn);
        lines.push_str(&format!("\n  layer = \"{}\"  # functions on {architecture}", published.arn));
    }
    say!("\nIn the file of an experiment on functions in {region}:\n\n  [aws]{lines}");
    if task.name == LAYER {
        say!("\nWith a stack (`--stack`, `[aws] stack`) the newest version that fits its functions is found without that line.");
    }
    Ok(0)
}

/// The zip's bytes.
fn read(LayerZip { path, code_sha, .. }: &LayerZip) -> Result<Vec<u8>, String> {
    let (path, bytes) = (path.display(), std::fs::read(path).map_err(|error| format!("`{}` cannot be read: {error}", path.display()))?);
    if bytes.len() > MOST_BYTES {
        return Err(format!("`{path}` has {} bytes, and Lambda takes {MOST_BYTES}; build it with `--without-plan-fetcher`", bytes.len()));
    }
    let found = STANDARD.encode(digest(&SHA256, &bytes));
    if found != *code_sha {
        return Err(format!("`{path}` has the SHA-256 `{found}` and not `{code_sha}`; build it again with `brownout layer build`"));
    }
    Ok(bytes)
}
