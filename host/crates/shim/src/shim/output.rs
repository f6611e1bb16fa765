//! From the pipes into the journal, within bounds, whatever the disk says.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use hostler_shim::journal::{Gap, Kind, Position, Stream, Writer};
use hostler_shim::launch::JournalLimits;

use crate::pages::Pages;

/// How much is read from a pipe at once, bytes: the size of a pipe.
pub(crate) const CHUNK: usize = 64 * 1024;

/// How long a chunk is held while the disk is full, and how often it is tried again. After that output is
/// lost, and counted, because a process must not stand still for want of disk space.
const HOLD: Duration = Duration::from_secs(2);
const RETRY: Duration = Duration::from_millis(100);

/// After this time without much output the buffer is given back, if more than so many bytes of it were used:
/// hundreds of shims are mostly silent.
const QUIET: Duration = Duration::from_millis(500);
const KEPT: usize = 8 * 1024;

/// Chunks that are read at the end beyond the size of a pipe: a terminal, whose size is not told, gives at most
/// 4 KiB at once.
const MORE_CHUNKS: usize = 64;

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
}

/// What the disk makes of us.
enum Trouble {
    None,
    /// A chunk could not be written, and is tried again.
    Holding {
        stream: Stream,
        length: usize,
        since: Instant,
        next: Instant,
    },
    /// The disk has been full for long; each chunk is tried once.
    Losing,
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
        let sources = sources.into_iter().map(|(stream, fd)| Source { stream, fd, open: true }).collect();
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

    /// All descriptors, to be held by a daemon as well.
    pub(crate) fn fds(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.sources.iter().map(|s| s.fd.as_fd())
    }

    /// When [`Self::on_time`] has something to do.
    pub(crate) fn due(&self) -> Option<Instant> {
        match self.trouble {
            Trouble::Holding { next, .. } => Some(next),
            Trouble::None | Trouble::Losing => self.release,
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
        if self.is_holding() {
            return false;
        }
        let Some(Source { stream, fd, open: true }) = self.sources.get(source) else {
            return false;
        };
        let stream = *stream;
        match rustix::io::read(fd, &mut self.buffer[..]) {
            Ok(0) => self.sources[source].open = false,
            Ok(length) => {
                if length > KEPT {
                    self.release = Some(Instant::now() + QUIET);
                }
                self.store(stream, length, daemon_there);
                return true;
            }
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => {}
            // EIO: the other side of a pseudo terminal is closed.
            Err(_) => self.sources[source].open = false,
        }
        false
    }

    fn store(&mut self, stream: Stream, length: usize, daemon_there: bool) {
        if !daemon_there {
            self.make_room();
        }
        match self.write(stream, length) {
            Ok(()) => self.trouble = Trouble::None,
            Err(_) => match self.trouble {
                Trouble::Losing => self.lost.add(&self.buffer[..length]),
                Trouble::None | Trouble::Holding { .. } => {
                    let now = Instant::now();
                    self.trouble = Trouble::Holding { stream, length, since: now, next: now + RETRY };
                }
            },
        }
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
        write_gap(&mut self.writer, &self.run_dir, &self.limits, &mut self.lost)?;
        writer(&mut self.writer, &self.run_dir, &self.limits)?.append(
            Kind::Output,
            stream,
            &self.buffer[..length],
        )
    }

    /// Tries again what the disk did not take.
    pub(crate) fn on_time(&mut self) {
        let now = Instant::now();
        let Trouble::Holding { stream, length, since, next } = self.trouble else {
            if self.release.is_some_and(|at| at <= now) {
                self.release = None;
                self.buffer.release();
            }
            return;
        };
        if now < next {
            return;
        }
        if self.write(stream, length).is_ok() {
            self.trouble = Trouble::None;
        } else if now >= since + HOLD {
            self.give_up(length);
        } else {
            self.trouble = Trouble::Holding { stream, length, since, next: now + RETRY };
        }
    }

    fn give_up(&mut self, length: usize) {
        self.lost.add(&self.buffer[..length]);
        self.trouble = Trouble::Losing;
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

    /// A record that is not output.
    pub(crate) fn note(&mut self, kind: Kind, payload: &[u8]) {
        if let Ok(writer) = writer(&mut self.writer, &self.run_dir, &self.limits) {
            let _ = writer.append(kind, Stream::Stdout, payload);
        }
    }

    /// Takes what is still in the pipes. Nobody writes to them any more.
    pub(crate) fn drain(&mut self) {
        if let Trouble::Holding { stream, length, .. } = self.trouble {
            if self.write(stream, length).is_err() {
                self.give_up(length);
            } else {
                self.trouble = Trouble::None;
            }
        }
        for source in 0..self.sources.len() {
            // Somebody outside the tree who got hold of the pipe may write for ever: only what can have been in
            // it is waited for.
            let mut chunks = self.capacity(source).div_ceil(CHUNK) + MORE_CHUNKS;
            while chunks > 0 && self.pump(source, true) {
                chunks -= 1;
                if let Trouble::Holding { length, .. } = self.trouble {
                    self.give_up(length);
                }
            }
        }
        let _ = write_gap(&mut self.writer, &self.run_dir, &self.limits, &mut self.lost);
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

/// The writer, begun when it is first needed: after the process has started, to start it sooner.
fn writer<'a>(
    slot: &'a mut Option<Writer>,
    run_dir: &std::path::Path,
    limits: &JournalLimits,
) -> std::io::Result<&'a mut Writer> {
    match slot {
        Some(writer) => Ok(writer),
        None => Ok(slot.insert(Writer::create(run_dir, limits.segment_bytes)?)),
    }
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
