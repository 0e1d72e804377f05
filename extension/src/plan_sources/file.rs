//! A plan in a file that its writer replaces by renaming; its age is that of the file's content. It
//! must never hang, so it opens only a regular file.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::PathBuf;
use std::time::SystemTime;

use faults::plan::LARGEST_PLAN;

use super::source::{Look, Source};

/// The file, and what it looked like when it was last read.
#[derive(Debug)]
pub struct PlanFile {
    path: PathBuf,
    seen: Option<Stamp>,
}

/// The metadata that change when a file is written or replaced.
type Stamp = (u64, u64, i64, i64, i64, i64);

fn stamp(metadata: &Metadata) -> Stamp {
    (metadata.ino(), metadata.size(), metadata.mtime(), metadata.mtime_nsec(), metadata.ctime(), metadata.ctime_nsec())
}

impl PlanFile {
    /// The file at `path`, which need not exist yet.
    pub const fn new(path: PathBuf) -> Self {
        Self { path, seen: None }
    }

    fn read(&mut self) -> io::Result<Look> {
        let metadata = std::fs::metadata(&self.path)?;
        if self.seen == Some(stamp(&metadata)) {
            return Ok(Look::Same);
        }
        if !metadata.is_file() {
            return Ok(Look::Missing("the plan's source is not a regular file".to_owned()));
        }
        // Non-blocking, in case it has become a FIFO meanwhile.
        let flags = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or(0);
        let file = OpenOptions::new().read(true).custom_flags(flags).open(&self.path)?;
        // The stamp of the file that is really read: it may have been replaced in between.
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Ok(Look::Missing("the plan's source is not a regular file".to_owned()));
        }
        let plan = read_limited(&file)?;
        self.seen = Some(stamp(&metadata));
        // A modification time in the future counts as new.
        let age = metadata.modified().ok().map(|written| SystemTime::now().duration_since(written).unwrap_or_default());
        Ok(Look::Found { plan, age })
    }
}

/// One byte more than the largest plan is enough to see that it is too long.
fn read_limited(file: &File) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(LARGEST_PLAN as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

impl Source for PlanFile {
    fn look(&mut self) -> Look {
        self.read().unwrap_or_else(|error| {
            self.seen = None;
            Look::Missing(format!("the plan's file cannot be read ({})", error.kind()))
        })
    }

    fn forget(&mut self) {
        self.seen = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_once_for_each_change() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("plan.json");
        let mut source = PlanFile::new(path.clone());
        assert!(matches!(source.look(), Look::Missing(_)));
        for text in ["one", "three"] {
            let new = folder.path().join("new");
            std::fs::write(&new, text).unwrap();
            std::fs::rename(&new, &path).unwrap();
            let look = source.look();
            assert!(matches!(&look, Look::Found { plan, age: Some(age) } if plan == text.as_bytes() && age.as_secs() < 60), "{look:?}");
            assert!(matches!(source.look(), Look::Same), "{text}");
        }
        std::fs::remove_file(&path).unwrap();
        assert!(matches!(source.look(), Look::Missing(_)));
    }

    #[test]
    fn anything_but_a_regular_file_counts_as_missing_and_does_not_hang() {
        let folder = tempfile::tempdir().unwrap();
        let fifo = folder.path().join("fifo");
        rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU, 0).unwrap();
        for path in [fifo, folder.path().to_owned()] {
            assert!(matches!(PlanFile::new(path.clone()).look(), Look::Missing(_)), "{path:?}");
        }
    }

    #[test]
    fn no_more_is_read_than_the_largest_plan() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("plan.json");
        std::fs::write(&path, vec![b' '; 3 * LARGEST_PLAN]).unwrap();
        assert!(matches!(PlanFile::new(path).look(), Look::Found { plan, .. } if plan.len() == LARGEST_PLAN + 1));
    }

    #[test]
    fn the_age_of_a_file_is_that_of_its_content_and_never_negative() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("plan.json");
        let hour = std::time::Duration::from_secs(3600);
        std::fs::write(&path, "plan").unwrap();
        for (written, from, to) in [(SystemTime::now() - 2 * hour, 7_200, 7_260), (SystemTime::now() + hour, 0, 0)] {
            File::options().write(true).open(&path).unwrap().set_modified(written).unwrap();
            let mut source = PlanFile::new(path.clone());
            let look = source.look();
            assert!(matches!(&look, Look::Found { age: Some(age), .. } if (from..=to).contains(&age.as_secs())), "{look:?}");
            assert!(matches!(source.look(), Look::Same));
            source.forget();
            assert!(matches!(source.look(), Look::Found { .. }));
        }
    }
}
