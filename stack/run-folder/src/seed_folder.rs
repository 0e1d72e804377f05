//! The folder that `brownout seed` leaves for `brownout run`: how users sign in and devices connect. It holds secrets: only its owner may read it.

use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// What was seeded; the file exists once everything was.
const SEED: &str = "seed.json";

/// Where the devices' certificates are.
const CERTIFICATES: &str = "certificates";

/// A finished seed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeedFolder {
    /// The mark of all that was created.
    pub id: String,
    /// The name of the stack.
    pub stack: String,
    /// Its Region.
    pub region: String,
    /// Its account.
    pub account: String,
    /// The password of every user.
    pub password: String,
    /// The folder with `<thing>.pem` and `<thing>.key` of each thing.
    #[serde(skip)]
    pub certificates: PathBuf,
}

impl std::fmt::Debug for SeedFolder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { id, stack, region, account, .. } = self;
        f.debug_struct("SeedFolder").field("id", id).field("stack", stack).field("region", region).field("account", account).finish()
    }
}

/// Why a folder holds no seed that a run can use.
#[derive(Debug, thiserror::Error)]
pub enum SeedFolderError {
    /// Nothing was seeded, not everything was, or it was deleted again.
    #[error("`{0}` holds no finished seed; `brownout seed` makes one, after `brownout unseed` if one was begun there")]
    NotSeeded(PathBuf),
    /// It is damaged, or of another version.
    #[error("`{path}` cannot be read; it is written by `brownout seed` of the same version")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        cause: io::Error,
    },
}

impl SeedFolder {
    /// Reads a finished seed.
    ///
    /// # Errors
    /// If there is none.
    pub fn open(folder: &Path) -> Result<Self, SeedFolderError> {
        let path = folder.join(SEED);
        let json = match std::fs::read(&path) {
            Ok(json) => json,
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Err(SeedFolderError::NotSeeded(folder.to_owned())),
            Err(cause) => return Err(SeedFolderError::Unreadable { path, cause }),
        };
        let read = serde_json::from_slice(&json).map_err(io::Error::other).and_then(|seed: Self| {
            // rumqttc and the report want a path that does not depend on the working directory.
            Ok(Self { certificates: folder.canonicalize()?.join(CERTIFICATES), ..seed })
        });
        read.map_err(|cause| SeedFolderError::Unreadable { path, cause })
    }

    /// Marks the seed in `folder` as finished, in one step.
    ///
    /// # Errors
    /// If the folder cannot be written.
    pub fn finish(&self, folder: &Path) -> io::Result<()> {
        let json = serde_json::to_vec_pretty(self).map_err(io::Error::other)?;
        write_private(&folder.join(SEED), &json)
    }

    /// Marks the seed in `folder` as unfinished: no run may use it while it is being deleted.
    ///
    /// # Errors
    /// If the folder cannot be written.
    pub fn withdraw(folder: &Path) -> io::Result<()> {
        match std::fs::remove_file(folder.join(SEED)) {
            Err(cause) if cause.kind() != io::ErrorKind::NotFound => Err(cause),
            _ => Ok(()),
        }
    }

    /// The folder of the certificates of the seed in `folder`; it is created if it does not exist.
    ///
    /// # Errors
    /// If it cannot be created.
    pub fn certificates(folder: &Path) -> io::Result<PathBuf> {
        let path = folder.join(CERTIFICATES);
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&path)?;
        Ok(path)
    }

    /// Deletes the certificates and keys of the seed in `folder`.
    ///
    /// # Errors
    /// If they cannot be deleted.
    pub fn forget_certificates(folder: &Path) -> io::Result<()> {
        match std::fs::remove_dir_all(folder.join(CERTIFICATES)) {
            Err(cause) if cause.kind() != io::ErrorKind::NotFound => Err(cause),
            _ => Ok(()),
        }
    }
}

/// Replaces a file in one step; from its first byte on only its owner can read it, and it is on disk once this returns.
///
/// # Errors
/// If the folder cannot be written.
pub fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let beside = PathBuf::from(beside);
    // A left-over file may be readable by other users.
    match std::fs::remove_file(&beside) {
        Err(cause) if cause.kind() != io::ErrorKind::NotFound => return Err(cause),
        _ => {}
    }
    let mut file = std::fs::File::options().write(true).create_new(true).mode(0o600).open(&beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&beside, path)?;
    std::fs::File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn seed() -> SeedFolder {
        let [id, stack, region, account, password] =
            ["7f", "clinic-dev", "eu-west-1", "123456789012", "hunter2-hunter2"].map(str::to_owned);
        SeedFolder { id, stack, region, account, password, certificates: PathBuf::new() }
    }

    #[test]
    fn a_finished_seed_is_read_back_and_only_its_owner_can_read_it() {
        let folder = tempfile::tempdir().unwrap();
        seed().finish(folder.path()).unwrap();
        let read = SeedFolder::open(folder.path()).unwrap();
        let certificates = SeedFolder::certificates(folder.path()).unwrap().canonicalize().unwrap();
        assert_eq!(read, SeedFolder { certificates: certificates.clone(), ..seed() });
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&folder.path().join(SEED)), mode(&certificates)), (0o600, 0o700));
        assert!(!format!("{read:?}").contains("hunter2"));
    }

    #[test]
    fn a_seed_that_was_withdrawn_or_never_finished_is_not_used() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(SeedFolder::open(folder.path()), Err(SeedFolderError::NotSeeded(_))));
        seed().finish(folder.path()).unwrap();
        SeedFolder::withdraw(folder.path()).unwrap();
        SeedFolder::withdraw(folder.path()).unwrap();
        assert!(matches!(SeedFolder::open(folder.path()), Err(SeedFolderError::NotSeeded(_))));
        std::fs::write(folder.path().join(SEED), "{}").unwrap();
        let error = SeedFolder::open(folder.path()).unwrap_err();
        assert!(matches!(error, SeedFolderError::Unreadable { .. }), "{error}");
    }
}
