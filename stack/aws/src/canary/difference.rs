//! Compares two versions of a function as a caller sees them. Description and dates always differ
//! and are ignored.

use aws_sdk_lambda::operation::get_function_configuration::GetFunctionConfigurationOutput as Shown;

/// The names of the settings that differ, without their values.
pub(super) fn differences(one: &Shown, other: &Shown) -> Vec<String> {
    let settings = [
        ("code", one.code_sha256() == other.code_sha256()),
        ("runtime", one.runtime() == other.runtime()),
        ("runtime version", one.runtime_version_config() == other.runtime_version_config()),
        ("architecture", one.architectures() == other.architectures()),
        ("package", one.package_type() == other.package_type() && one.image_config_response() == other.image_config_response()),
        ("handler", one.handler() == other.handler()),
        ("role", one.role() == other.role()),
        ("timeout", one.timeout() == other.timeout()),
        ("memory", one.memory_size() == other.memory_size()),
        ("/tmp", one.ephemeral_storage() == other.ephemeral_storage()),
        ("layers", layers(one).eq(layers(other))),
        ("key of the variables", one.kms_key_arn() == other.kms_key_arn()),
        ("network", one.vpc_config() == other.vpc_config()),
        ("file systems", one.file_system_configs() == other.file_system_configs()),
        ("dead-letter queue", one.dead_letter_config() == other.dead_letter_config()),
        ("tracing", one.tracing_config() == other.tracing_config()),
        ("logging", one.logging_config() == other.logging_config()),
        ("SnapStart", snap_start(one) == snap_start(other)),
    ];
    let differing = settings.into_iter().filter(|(_, same)| !same).map(|(name, _)| name.to_owned());
    differing.chain(variables(one, other).into_iter().map(|name| format!("variable {name}"))).collect()
}

fn layers(shown: &Shown) -> impl Iterator<Item = Option<&str>> {
    shown.layers().iter().map(|layer| layer.arn())
}

/// The SnapStart setting. Whether a snapshot exists yet differs for each version and is ignored.
fn snap_start(shown: &Shown) -> &str {
    shown.snap_start().and_then(|snap_start| snap_start.apply_on()).map_or("None", |apply_on| apply_on.as_str())
}

/// The names of the variables that differ; variables that cannot be read count as different.
fn variables(one: &Shown, other: &Shown) -> Vec<String> {
    let is_unreadable = |shown: &Shown| shown.environment().is_some_and(|environment| environment.error().is_some());
    if is_unreadable(one) || is_unreadable(other) {
        return vec!["that cannot be read".to_owned()];
    }
    let all = |shown: &Shown| shown.environment().and_then(|environment| environment.variables()).cloned().unwrap_or_default();
    let (one, other) = (all(one), all(other));
    let mut names: Vec<_> = one.keys().chain(other.keys()).filter(|name| one.get(*name) != other.get(*name)).cloned().collect();
    names.sort();
    names.dedup();
    names
}
