//! From the pipes into the journal, within bounds, whatever the disk says, and so that a SIGKILL at any
//! instant loses nothing: see [`Writer::append_from`].

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use hostler_shim::journal::{self, Gap, Kind, Moved, Position, Stream, Writer};
use hostler_shim::launch::JournalLimits;

use crate::pages::Pages;
use crate::sys;

/// How much is read from a pipe at once, bytes: the size of a pipe.
pub(crate) const CHUNK: usize = 64 * 1024;

/// How long output waits while the disk is full, and how often it is tried again. After that it is lost, and
/// counted, because a process must not stand still for want of disk space.
const HOLD: Duration = Duration::from_secs(2);
const RETRY: Duration = Duration::from_millis(100);

/// How often it is tried to write down how much was lost, should the process write no more.
const TELL: Duration = Duration::from_secs(1);

/// After this time without much output the buffer is given back, if more than so many bytes of it were used:
/// hundreds of shims are mostly silent.
const QUIET: Duration = Duration::from_millis(500);
const KEPT: usize = 8 * 1024;

/// Chunks that are read at the end beyond the size of a pipe: a terminal, whose size is not told, gives at most
/// 4 KiB at once.
const MORE_CHUNKS: usize = 64;

/// A file whose room is given to the last records of a journal when the disk is full: that output was lost, and
/// that the process ended, must be told even then.
const RESERVE: &str = "reserve";
const RESERVED: usize = 4096;

/// The outputs of the process and their journal.
pub(crate) struct Output {
    run_dir: PathBuf,
    limits: JournalLimits,
    writer: Option<Writer>,
    sources: Vec<Source>,
    buffer: Pages,
    consumed: Position,
    lost: Gap,
    trouble: Trouble,
    /// When the buffer is given back, after output has stopped for a while.
    release: Option<Instant>,
}

struct Source {
    stream: Stream,
    fd: OwnedFd,
    open: bool,
    /// Its content is moved by the kernel rather than read and written: a pipe's, not a terminal's.
    splices: bool,
}

/// What the disk makes of us.
enum Trouble {
    None,
    /// A chunk could not be written, and is tried again.
    Holding {
        held: Held,
        since: Instant,
        next: Instant,
        errno: i32,
    },
    /// The disk has been full for long; each chunk is tried once.
    Losing {
        next: Instant,
        errno: i32,
    },
}

impl Trouble {
    fn holding(held: Held, errno: i32) -> Self {
        let now = Instant::now();
        Self::Holding { held, since: now, next: now + RETRY, errno }
    }

    fn losing(errno: i32) -> Self {
        Self::Losing { next: Instant::now() + TELL, errno }
    }
}

/// Where the chunk is that waits for the disk.
#[derive(Clone, Copy)]
enum Held {
    /// Still in the pipe of this source.
    Pipe(usize),
    /// In the buffer.
    Buffer { stream: Stream, length: usize },
}

/// What became of one chunk.
enum Taken {
    Written(usize),
    Nothing,
    End,
    Refused(Held, i32),
}

impl Output {
    pub(crate) fn new(
        run_dir: PathBuf,
        mut limits: JournalLimits,
        sources: Vec<(Stream, OwnedFd)>,
        buffer: Pages,
    ) -> Self {
        // Only whole segments are deleted, so the cap is kept only with several of them.
        limits.segment_bytes = limits.segment_bytes.min(limits.cap_bytes / 4);
        let source = |(stream, fd)| Source { stream, fd, open: true, splices: true };
        let sources = sources.into_iter().map(source).collect();
        Self {
            run_dir,
            limits,
            writer: None,
            sources,
            buffer,
            consumed: Position::default(),
            release: None,
            lost: Gap::default(),
            trouble: Trouble::None,
        }
    }

    /// The descriptors to wait for; none while output must wait.
    pub(crate) fn wanted(&self, daemon_there: bool) -> impl Iterator<Item = (usize, BorrowedFd<'_>)> {
        let blocked = self.is_holding() || (daemon_there && self.is_full());
        self.sources
            .iter()
            .enumerate()
            .filter(move |(_, s)| s.open && !blocked)
            .map(|(at, s)| (at, s.fd.as_fd()))
    }

    /// Sets room aside for the last records.
    pub(crate) fn reserve(&self) -> std::io::Result<()> {
        std::fs::write(self.run_dir.join(RESERVE), [1; RESERVED])
    }

    /// All descriptors, to be held by a daemon as well.
    pub(crate) fn fds(&self) -> impl Iterator<Item = (Stream, BorrowedFd<'_>)> {
        self.sources.iter().map(|s| (s.stream, s.fd.as_fd()))
    }

    /// That of one stream.
    pub(crate) fn fd(&self, stream: Stream) -> Option<BorrowedFd<'_>> {
        self.fds().find(|(s, _)| *s == stream).map(|(_, fd)| fd)
    }

    /// When [`Self::on_time`] has something to do.
    pub(crate) fn due(&self) -> Option<Instant> {
        match self.trouble {
            // The buffer is in use.
            Trouble::Holding { next, .. } => Some(next),
            Trouble::Losing { next, .. } => Some(self.release.map_or(next, |release| release.min(next))),
            Trouble::None => self.release,
        }
    }

    /// Why the journal cannot be written now, the kernel's error number.
    pub(crate) fn refused(&self) -> Option<i32> {
        match self.trouble {
            Trouble::Holding { errno, .. } | Trouble::Losing { errno, .. } => Some(errno),
            Trouble::None => None,
        }
    }

    /// The end of the journal, if the daemon has not stored everything before it.
    pub(crate) fn news(&self) -> Option<Position> {
        let end = self.writer.as_ref()?.position();
        (end > self.consumed).then_some(end)
    }

    /// A segment that is written to is never deleted. So one whose content is stored elsewhere does not count,
    /// however small the cap.
    fn is_full(&self) -> bool {
        self.news().is_some()
            && self.writer.as_ref().is_some_and(|w| w.total_bytes() >= self.limits.cap_bytes)
    }

    fn is_holding(&self) -> bool {
        matches!(self.trouble, Trouble::Holding { .. })
    }

    /// Moves one chunk; whether there was one.
    pub(crate) fn pump(&mut self, source: usize, daemon_there: bool) -> bool {
        // Of two sources found readable together the first may have met a full disk: the buffer is not free.
        if self.is_holding() || !self.sources.get(source).is_some_and(|s| s.open) {
            return false;
        }
        if !daemon_there {
            self.make_room();
        }
        match self.take(source) {
            Taken::Written(length) => {
                self.trouble = Trouble::None;
                if length > KEPT {
                    self.release = Some(Instant::now() + QUIET);
                }
                true
            }
            Taken::Nothing => false,
            Taken::End => {
                self.sources[source].open = false;
                false
            }
            Taken::Refused(held, errno) => {
                match self.trouble {
                    Trouble::Losing { .. } => self.lose(held, errno),
                    Trouble::None | Trouble::Holding { .. } => self.trouble = Trouble::holding(held, errno),
                }
                true
            }
        }
    }

    fn take(&mut self, source: usize) -> Taken {
        let Source { stream, fd, splices, .. } = &self.sources[source];
        let stream = *stream;
        // No journal is begun for an end: a run that writes nothing needs none, and ends sooner.
        if self.writer.is_none() && sys::is_at_end(fd.as_fd()) {
            return Taken::End;
        }
        if *splices {
            match move_chunk(&mut self.writer, &self.run_dir, &self.limits, &mut self.lost, |writer| {
                writer.append_from(fd.as_fd(), stream, &mut self.buffer[..])
            }) {
                Ok(Moved::Bytes(length)) => return Taken::Written(length),
                Ok(Moved::Nothing) => return Taken::Nothing,
                Ok(Moved::End) => return Taken::End,
                Ok(Moved::Impossible) => self.sources[source].splices = false,
                Err(error) => return Taken::Refused(Held::Pipe(source), errno(&error)),
            }
        }
        match rustix::io::read(&self.sources[source].fd, &mut self.buffer[..]) {
            Ok(0) => Taken::End,
            Ok(length) => match self.write(stream, length) {
                Ok(()) => Taken::Written(length),
                Err(error) => Taken::Refused(Held::Buffer { stream, length }, errno(&error)),
            },
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => Taken::Nothing,
            // EIO: the other side of a pseudo terminal is closed.
            Err(_) => Taken::End,
        }
    }

    /// Lets a chunk go that the disk does not take, and counts it.
    fn lose(&mut self, held: Held, errno: i32) {
        let length = match held {
            Held::Buffer { length, .. } => length,
            Held::Pipe(source) => {
                rustix::io::read(&self.sources[source].fd, &mut self.buffer[..]).unwrap_or(0)
            }
        };
        self.lost.add(&self.buffer[..length]);
        self.lost.here = true;
        self.trouble = Trouble::losing(errno);
    }

    /// Nobody reads the journal, and it is full: the oldest output goes, and is counted.
    fn make_room(&mut self) {
        let Some(writer) = &mut self.writer else { return };
        while writer.total_bytes() >= self.limits.cap_bytes {
            let Some(gap) = writer.drop_oldest(self.consumed) else {
                return;
            };
            self.lost.bytes += gap.bytes;
            self.lost.lines += gap.lines;
        }
    }

    fn write(&mut self, stream: Stream, length: usize) -> std::io::Result<()> {
        move_chunk(&mut self.writer, &self.run_dir, &self.limits, &mut self.lost, |writer| {
            writer.append(Kind::Output, stream, &self.buffer[..length])
        })
    }

    /// Tries again what the disk did not take; gives the buffer back.
    pub(crate) fn on_time(&mut self) {
        let now = Instant::now();
        if self.release.is_some_and(|at| at <= now) && !self.is_holding() {
            self.release = None;
            self.buffer.release();
        }
        match self.trouble {
            Trouble::Holding { held, since, next, errno } if next <= now => {
                if self.retry(held) {
                    return;
                }
                if now >= since + HOLD {
                    self.lose(held, errno);
                } else {
                    self.trouble = Trouble::Holding { held, since, next: now + RETRY, errno };
                }
            }
            Trouble::Losing { next, .. } if next <= now => self.tell_lost(),
            _ => {}
        }
    }

    /// Writes down how much was lost, if the disk takes it now.
    fn tell_lost(&mut self) {
        self.trouble = match write_gap(&mut self.writer, &self.run_dir, &self.limits, &mut self.lost) {
            Ok(()) => Trouble::None,
            Err(error) => Trouble::losing(errno(&error)),
        };
    }

    /// Whether the disk takes now what it did not take before.
    fn retry(&mut self, held: Held) -> bool {
        let done = match held {
            Held::Buffer { stream, length } => self.write(stream, length).is_ok(),
            Held::Pipe(source) => !matches!(self.take(source), Taken::Refused(..)),
        };
        if done {
            self.trouble = Trouble::None;
        }
        done
    }

    /// The daemon has stored everything before this position; whether that is news.
    pub(crate) fn consumed(&mut self, position: Position) -> bool {
        let advanced = position > self.consumed;
        self.consumed = self.consumed.max(position);
        if let Some(writer) = &mut self.writer {
            writer.remove_before(position.segment);
        }
        advanced
    }

    /// A record that is not output, if there is a journal or a predecessor left one.
    pub(crate) fn note(&mut self, kind: Kind, payload: &[u8]) {
        if self.writer.is_none() && !self.run_dir.join(journal::FOLDER).exists() {
            return;
        }
        if let Ok(writer) = writer(&mut self.writer, &self.run_dir, &self.limits) {
            let _ = writer.append(kind, Stream::Stdout, payload);
        }
    }

    /// Takes what is still in the pipes. Nobody writes to them any more.
    pub(crate) fn drain(&mut self) {
        self.hold_no_longer();
        for source in 0..self.sources.len() {
            // Somebody outside the tree who got hold of the pipe may write for ever: only what can have been in
            // it is waited for.
            let mut chunks = self.capacity(source).div_ceil(CHUNK) + MORE_CHUNKS;
            while chunks > 0 && self.pump(source, true) {
                chunks -= 1;
                self.hold_no_longer();
            }
        }
        let _ = std::fs::remove_file(self.run_dir.join(RESERVE));
        let _ = write_gap(&mut self.writer, &self.run_dir, &self.limits, &mut self.lost);
    }

    fn hold_no_longer(&mut self) {
        if let Trouble::Holding { held, errno, .. } = self.trouble
            && !self.retry(held)
        {
            self.lose(held, errno);
        }
    }

    fn capacity(&self, source: usize) -> usize {
        let pipe = &self.sources[source].fd;
        // A terminal is no pipe, and holds little.
        rustix::pipe::fcntl_getpipe_size(pipe).unwrap_or(0)
    }

    pub(crate) fn sync(&self) {
        if let Some(writer) = &self.writer {
            let _ = writer.sync();
        }
    }
}

fn errno(error: &std::io::Error) -> i32 {
    error.raw_os_error().unwrap_or(libc::EIO)
}

/// The writer, begun when it is first needed: after the process has started, to start it sooner.
fn writer<'a>(
    slot: &'a mut Option<Writer>,
    run_dir: &std::path::Path,
    limits: &JournalLimits,
) -> std::io::Result<&'a mut Writer> {
    match slot {
        Some(writer) => Ok(writer),
        // A predecessor that was killed may have left a journal.
        None => Ok(slot.insert(Writer::resume(run_dir, limits.segment_bytes)?)),
    }
}

/// Writes a chunk, after what is to be told of those before it.
fn move_chunk<T>(
    slot: &mut Option<Writer>,
    run_dir: &std::path::Path,
    limits: &JournalLimits,
    lost: &mut Gap,
    append: impl FnOnce(&mut Writer) -> std::io::Result<T>,
) -> std::io::Result<T> {
    write_gap(slot, run_dir, limits, lost)?;
    append(writer(slot, run_dir, limits)?)
}

/// Tells what was lost, at the place where it is missing or, for what was dropped from the journal's
/// beginning, at the next one that is written.
fn write_gap(
    slot: &mut Option<Writer>,
    run_dir: &std::path::Path,
    limits: &JournalLimits,
    lost: &mut Gap,
) -> std::io::Result<()> {
    if lost.bytes == 0 {
        return Ok(());
    }
    writer(slot, run_dir, limits)?.append(Kind::Gap, Stream::Stdout, &lost.to_bytes())?;
    *lost = Gap::default();
    Ok(())
}
