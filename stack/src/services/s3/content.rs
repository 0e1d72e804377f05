//! The content of an object: a small one is in memory, a large one in blocks of one unnamed file
//! that disappears with the process. Blocks of deleted content are used again. Reading or writing a
//! block is a copy from or to the system's page cache, which takes tens of microseconds.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use hyper::body::{Body, Frame, SizeHint};
use rustix::fs::{Mode, OFlags};

/// Larger contents go to the file.
const SMALL: usize = 64 * 1024;
/// A block of the file.
const BLOCK: usize = 256 * 1024;

/// The file, and how much is in it and in memory.
#[derive(Debug)]
pub struct Spool {
    file: File,
    blocks: Mutex<Blocks>,
    in_memory: AtomicUsize,
}

#[derive(Debug, Default)]
struct Blocks {
    /// The number of blocks in the file.
    made: u64,
    /// The blocks that are not in use.
    free: Vec<u64>,
}

/// A block that is in use until this is dropped.
#[derive(Debug)]
struct Block {
    spool: Arc<Spool>,
    number: u64,
}

/// Bytes in memory, counted until this is dropped.
#[derive(Debug)]
struct Held {
    spool: Arc<Spool>,
    bytes: Bytes,
}

/// Bytes in the file.
#[derive(Debug)]
struct Filed {
    blocks: Vec<Block>,
    size: usize,
}

/// An object's content, shared by all its readers.
#[derive(Debug, Clone)]
pub struct Content(Place);

#[derive(Debug, Clone)]
enum Place {
    Memory(Arc<Held>),
    File(Arc<Filed>),
}

impl Spool {
    /// A file in `folder`, whose name is removed at once.
    ///
    /// # Errors
    /// If it cannot be created.
    pub fn within(folder: &Path) -> io::Result<Arc<Self>> {
        let path = folder.join(format!(".objects-{}-{:x}", std::process::id(), crate::platform::names::random()));
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let file = File::from(rustix::fs::open(&path, flags, Mode::RUSR | Mode::WUSR)?);
        std::fs::remove_file(&path)?;
        Ok(Arc::new(Self { file, blocks: Mutex::default(), in_memory: AtomicUsize::new(0) }))
    }

    /// How many bytes of contents are in memory.
    pub fn in_memory(&self) -> usize {
        self.in_memory.load(Ordering::Relaxed)
    }

    /// How many bytes of the file are in use.
    pub fn in_file(&self) -> u64 {
        let blocks = self.blocks.lock().unwrap_or_else(PoisonError::into_inner);
        (blocks.made - blocks.free.len() as u64) * BLOCK as u64
    }

    fn block(self: &Arc<Self>, bytes: &[u8]) -> io::Result<Block> {
        let number = {
            let mut blocks = self.blocks.lock().unwrap_or_else(PoisonError::into_inner);
            blocks.free.pop().unwrap_or_else(|| {
                blocks.made += 1;
                blocks.made - 1
            })
        };
        let block = Block { spool: Arc::clone(self), number };
        self.file.write_all_at(bytes, number * BLOCK as u64)?;
        Ok(block)
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        self.spool.blocks.lock().unwrap_or_else(PoisonError::into_inner).free.push(self.number);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.spool.in_memory.fetch_sub(self.bytes.len(), Ordering::Relaxed);
    }
}

impl Content {
    /// A content that is complete. If it cannot be written to the file, it stays in memory, which
    /// is better than losing it.
    pub fn new(spool: &Arc<Spool>, bytes: Bytes) -> Self {
        let mut writer = Writer::new(spool);
        match writer.add(&bytes).and_then(|()| writer.end()) {
            Ok(content) => content,
            Err(_) => Self::held(spool, bytes),
        }
    }

    fn held(spool: &Arc<Spool>, bytes: Bytes) -> Self {
        spool.in_memory.fetch_add(bytes.len(), Ordering::Relaxed);
        Self(Place::Memory(Arc::new(Held { spool: Arc::clone(spool), bytes })))
    }

    /// Its length in bytes.
    pub fn size(&self) -> usize {
        match &self.0 {
            Place::Memory(held) => held.bytes.len(),
            Place::File(filed) => filed.size,
        }
    }

    /// All of it in one piece.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn whole(&self) -> io::Result<Bytes> {
        let mut part = self.part(0..self.size());
        let mut all = BytesMut::with_capacity(self.size());
        while let Some(piece) = part.next() {
            all.extend_from_slice(&piece?);
        }
        Ok(all.freeze())
    }

    /// Appends it to a content that is being written.
    ///
    /// # Errors
    /// If the file cannot be read or written.
    pub fn append_to(&self, writer: &mut Writer) -> io::Result<()> {
        let mut part = self.part(0..self.size());
        while let Some(piece) = part.next() {
            writer.add(&piece?)?;
        }
        Ok(())
    }

    /// A part of it, read as it is sent. Bytes beyond the end are left out.
    pub fn part(&self, range: Range<usize>) -> Part {
        let end = range.end.min(self.size());
        Part { content: self.clone(), left: range.start.min(end)..end }
    }
}

/// A part of a content, with the bytes that are still to be read.
#[derive(Debug)]
pub struct Part {
    content: Content,
    left: Range<usize>,
}

impl Part {
    fn next(&mut self) -> Option<io::Result<Bytes>> {
        let Range { start, end } = self.left;
        if start >= end {
            return None;
        }
        let piece = match &self.content.0 {
            Place::Memory(held) => Ok(held.bytes.slice(start..end)),
            Place::File(filed) => filed.read(start, end),
        };
        match &piece {
            Ok(piece) => self.left.start += piece.len(),
            Err(_) => self.left.start = end,
        }
        Some(piece)
    }
}

impl Filed {
    /// Reads from `start` to `end`, or to the end of the block in which it begins.
    fn read(&self, start: usize, end: usize) -> io::Result<Bytes> {
        let (index, within) = (start / BLOCK, start % BLOCK);
        let block = self.blocks.get(index).ok_or(io::ErrorKind::UnexpectedEof)?;
        let mut piece = BytesMut::zeroed((end - start).min(BLOCK - within));
        block.spool.file.read_exact_at(&mut piece, block.number * BLOCK as u64 + within as u64)?;
        Ok(piece.freeze())
    }
}

/// If the file cannot be read, the answer breaks off, because its length was sent already.
impl Body for Part {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        Poll::Ready(self.get_mut().next().map(|piece| piece.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.left.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left.len() as u64)
    }
}

/// A content that is being received.
#[derive(Debug)]
pub struct Writer {
    spool: Arc<Spool>,
    /// The bytes that are not written yet, at most a block.
    rest: BytesMut,
    blocks: Vec<Block>,
}

impl Writer {
    /// An empty content.
    pub fn new(spool: &Arc<Spool>) -> Self {
        Self { spool: Arc::clone(spool), rest: BytesMut::new(), blocks: Vec::new() }
    }

    /// Adds received bytes.
    ///
    /// # Errors
    /// If they cannot be written to the file.
    pub fn add(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(BLOCK - self.rest.len()));
            self.rest.extend_from_slice(now);
            bytes = later;
            if self.rest.len() == BLOCK {
                self.write()?;
            }
        }
        Ok(())
    }

    /// The complete content.
    ///
    /// # Errors
    /// If it cannot be written to the file.
    pub fn end(mut self) -> io::Result<Content> {
        if self.blocks.is_empty() && self.rest.len() <= SMALL {
            // Copied once, so that the counted size is the size in memory.
            return Ok(Content::held(&self.spool, Bytes::copy_from_slice(&self.rest)));
        }
        let size = self.blocks.len() * BLOCK + self.rest.len();
        if !self.rest.is_empty() {
            self.write()?;
        }
        Ok(Content(Place::File(Arc::new(Filed { blocks: self.blocks, size }))))
    }

    fn write(&mut self) -> io::Result<()> {
        self.blocks.push(self.spool.block(&self.rest)?);
        self.rest.clear();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pattern(size: usize) -> Bytes {
        (0..size).map(|at| u8::try_from((at / 7 + at) % 251).unwrap()).collect()
    }

    fn spool() -> Arc<Spool> {
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::within(folder.path()).unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "the file has no name");
        spool
    }

    #[test]
    fn contents_of_every_size_are_read_as_they_were_written() {
        let spool = spool();
        for size in [0, 1, SMALL, SMALL + 1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK, 5 * BLOCK + 77] {
            let content = Content::new(&spool, pattern(size));
            assert_eq!((content.size(), spool.in_memory()), (size, if size > SMALL { 0 } else { size }));
            assert!(content.whole().unwrap() == pattern(size), "{size}");
        }
        assert_eq!((spool.in_memory(), spool.in_file()), (0, 0), "nobody holds them");
    }

    #[test]
    fn memory_use_does_not_grow_and_blocks_are_reused() {
        let spool = spool();
        let kept = Content::new(&spool, pattern(2 * BLOCK));
        for _ in 0..200 {
            let passing = Content::new(&spool, pattern(3 * BLOCK));
            assert_eq!((passing.size(), spool.in_memory()), (3 * BLOCK, 0));
        }
        assert_eq!(spool.blocks.lock().unwrap().made, 5);
        assert_eq!(spool.in_file(), 2 * BLOCK as u64);
        assert!(kept.whole().unwrap() == pattern(2 * BLOCK));
        let small: Vec<_> = (0..10).map(|_| Content::new(&spool, pattern(100))).collect();
        assert_eq!((small.len() * 100, spool.in_file()), (spool.in_memory(), 2 * BLOCK as u64));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        #[test]
        fn any_part_has_the_right_bytes(size in 0_usize..3 * BLOCK, start in 0_usize..4 * BLOCK, length in 0_usize..4 * BLOCK) {
            let bytes = pattern(size);
            let mut part = Content::new(&spool(), bytes.clone()).part(start..start + length);
            let end = (start + length).min(size);
            let expected = bytes.slice(start.min(end)..end);
            prop_assert_eq!(part.size_hint().exact(), Some(expected.len() as u64));
            let mut read = Vec::new();
            while let Some(piece) = part.next() {
                read.extend_from_slice(&piece.unwrap());
            }
            prop_assert!(part.is_end_stream() && read == expected);
        }
    }
}
