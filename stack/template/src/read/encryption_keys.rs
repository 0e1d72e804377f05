//! `AWS::KMS::Key` and `AWS::KMS::Alias`. Key policies are permissions, which are not checked here.

use super::section::Section;
use crate::blueprint::EncryptionKey;

pub(crate) fn read(key: &Section<'_>, id: String) -> EncryptionKey {
    key.only(
        &["KeySpec", "KeyUsage", "Enabled"],
        &["Description", "KeyPolicy", "EnableKeyRotation", "RotationPeriodInDays", "PendingWindowInDays", "MultiRegion", "Tags"],
    );
    key.is_served("KeySpec", &["SYMMETRIC_DEFAULT"]);
    key.is_served("KeyUsage", &["ENCRYPT_DECRYPT"]);
    EncryptionKey { id, aliases: Vec::new() }
}

/// Gives a key of the template its alias.
pub(crate) fn alias(alias: &Section<'_>, keys: &mut [EncryptionKey]) {
    alias.only(&["AliasName", "TargetKeyId"], &[]);
    let (name, target) = (alias.needed("AliasName"), alias.needed("TargetKeyId"));
    let id = target.rsplit('/').next().unwrap_or_default();
    match keys.iter_mut().find(|key| key.id == id) {
        Some(key) => key.aliases.push(name),
        None => alias.notice("TargetKeyId", format!("`{target}` is no key of the template, so `{name}` is not served here")),
    }
}
