//! What stands in a journal, as the lines that the store takes.

use std::io;
use std::path::Path;

use hostler_model::lines::{Line, Splitter};
use hostler_model::{Stream, Timestamp};
use hostler_shim::journal::{self, Gap, Kind, Position, Reader, Record};
use hostler_store::{IngestBatch, JournalPosition, RowFlags, Rows, RunKey};

/// Where somebody stands in a journal.
pub(super) struct TailState {
    pub(super) position: Position,
    pub(super) splitter: Splitter,
}

/// What was read of one run for a transaction.
pub(super) struct Reading {
    pub(super) batch: IngestBatch,
    pub(super) next: TailState,
    /// Bytes of output that were read.
    pub(super) bytes: usize,
    /// The output itself, when somebody watches.
    pub(super) watched: Option<Vec<(Stream, Vec<u8>)>>,
    /// There is more than was allowed.
    pub(super) more: bool,
    /// Why the rest could not be read.
    pub(super) failed: Option<String>,
    pub(super) drained: bool,
}

/// Reads on in the journal of a run; `closed` tells that nothing is written to it any more. What cannot be read is read
/// later: it is no end.
pub(super) fn read_journal(
    run: RunKey,
    (dir, closed): (&Path, bool),
    state: TailState,
    most: usize,
    is_watched: bool,
) -> Reading {
    let TailState { position, splitter } = state;
    let watched = is_watched.then(Vec::new);
    let mut taken = Taken { position, splitter, rows: Rows::default(), bytes: 0, watched };
    let (more, failed) = match taken.read(dir, closed, most) {
        Ok(more) => (more, None),
        Err(error) => (false, Some(format!("{}: {error}", dir.display()))),
    };
    let drained = closed && !more && failed.is_none();
    let Taken { position, mut splitter, mut rows, bytes, watched } = taken;
    if drained {
        splitter.finish(|l| add(&mut rows, &l));
    }
    let batch = IngestBatch {
        run,
        position: JournalPosition { segment: position.segment, offset: position.offset },
        carry_stdout: splitter.carry(Stream::Stdout).clone(),
        carry_stderr: splitter.carry(Stream::Stderr).clone(),
        rows,
        drained,
    };
    Reading { batch, next: TailState { position, splitter }, bytes, watched, more, failed, drained }
}

/// What was taken from a journal, up to which place.
struct Taken {
    position: Position,
    splitter: Splitter,
    rows: Rows,
    bytes: usize,
    watched: Option<Vec<(Stream, Vec<u8>)>>,
}

impl Taken {
    /// Reads on until it has so many bytes; whether there is more.
    fn read(&mut self, dir: &Path, closed: bool, most: usize) -> io::Result<bool> {
        let mut reader = match Reader::open(dir, self.position) {
            // A process that never wrote, or whose shim could not make the folder.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            opened => opened?,
        };
        while let Some(record) = reader.next()? {
            self.take(&record);
            self.position = reader.position();
            if self.bytes >= most {
                return Ok(true);
            }
        }
        // Nobody is there any more who could complete what stands at the end.
        let lost = if closed { reader.unread()? } else { 0 };
        if lost > 0 {
            add_gap(&mut self.rows, Timestamp(0), Gap { bytes: lost, lines: 0, here: true });
        }
        Ok(false)
    }

    fn take(&mut self, record: &Record<'_>) {
        self.bytes += record.payload.len();
        let time = Timestamp(record.wall_ns);
        match record.kind {
            Kind::Output => {
                let stream = stream(record.stream);
                self.splitter.push(stream, time, record.payload, |l| add(&mut self.rows, &l));
                self.watched.iter_mut().for_each(|pieces| append(pieces, stream, record.payload));
            }
            Kind::Gap => {
                let gap = Gap::from_bytes(record.payload);
                if gap.here {
                    // What was begun before it does not go on behind it.
                    self.splitter.finish(|l| add(&mut self.rows, &l));
                }
                add_gap(&mut self.rows, time, gap);
            }
            Kind::Exit | Kind::Closed => {}
        }
    }
}

fn append(pieces: &mut Vec<(Stream, Vec<u8>)>, stream: Stream, bytes: &[u8]) {
    match pieces.last_mut() {
        Some((last, piece)) if *last == stream => piece.extend_from_slice(bytes),
        _ => pieces.push((stream, bytes.to_vec())),
    }
}

fn stream(stream: journal::Stream) -> Stream {
    match stream {
        journal::Stream::Stdout => Stream::Stdout,
        journal::Stream::Stderr => Stream::Stderr,
    }
}

fn add(rows: &mut Rows, line: &Line<'_>) {
    let flags = if line.continued { RowFlags::CONTINUED } else { RowFlags::NONE };
    rows.push(line.time, line.stream, flags, line.raw);
}

fn add_gap(rows: &mut Rows, time: Timestamp, gap: Gap) {
    let text = format!("[{} bytes of output in {} lines were lost here]", gap.bytes, gap.lines);
    let time = if time.0 == 0 { crate::daemon::now() } else { time };
    rows.push(time, Stream::Stderr, RowFlags::GAP, text.as_bytes());
}

#[cfg(test)]
mod tests {
    use hostler_shim::journal::Writer;

    use super::*;

    fn read(dir: &Path, state: TailState) -> Reading {
        read_journal(RunKey(1), (dir, true), state, usize::MAX, false)
    }

    fn beginning() -> TailState {
        TailState {
            position: Position::default(),
            splitter: Splitter::resume(Default::default(), Default::default()),
        }
    }

    fn texts(reading: &Reading) -> Vec<String> {
        reading.batch.rows.iter().map(|row| String::from_utf8_lossy(row.raw).into_owned()).collect()
    }

    #[test]
    fn what_cannot_be_read_now_is_read_later_and_not_taken_for_the_end() {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = Writer::create(dir.path(), 1).unwrap();
        for line in ["one\n", "two\n", "three\n"] {
            writer.append(Kind::Output, journal::Stream::Stdout, line.as_bytes()).unwrap();
        }
        let [segment, away] =
            ["0000000000000002.seg", "away"].map(|name| dir.path().join(journal::FOLDER).join(name));
        std::fs::rename(&segment, &away).unwrap();
        std::fs::create_dir(&segment).unwrap();
        let first = read(dir.path(), beginning());
        assert_eq!(texts(&first), ["one"]);
        assert!(!first.drained && !first.batch.drained);
        assert!(first.failed.unwrap().contains(dir.path().to_str().unwrap()));
        std::fs::remove_dir(&segment).unwrap();
        std::fs::rename(&away, &segment).unwrap();
        let second = read(dir.path(), first.next);
        assert_eq!((texts(&second), second.drained), (vec!["two".to_owned(), "three".to_owned()], true));
    }

    #[test]
    fn damage_at_the_end_of_what_is_over_is_a_gap() {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = Writer::create(dir.path(), u64::MAX).unwrap();
        writer.append(Kind::Output, journal::Stream::Stdout, b"whole\n").unwrap();
        let whole = writer.total_bytes();
        writer.append(Kind::Output, journal::Stream::Stdout, b"damaged\n").unwrap();
        let path = dir.path().join(journal::FOLDER).join("0000000000000001.seg");
        let file = std::fs::File::options().write(true).open(path).unwrap();
        file.set_len(writer.total_bytes() - 1).unwrap();
        let lost = writer.total_bytes() - 1 - whole;
        let reading = read(dir.path(), beginning());
        assert!(reading.drained);
        assert_eq!(texts(&reading)[1..], [format!("[{lost} bytes of output in 0 lines were lost here]")]);
    }

    #[test]
    fn a_line_does_not_go_on_behind_what_was_lost_in_its_middle() {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = Writer::create(dir.path(), u64::MAX).unwrap();
        for here in [true, false] {
            let gap = Gap { bytes: 7, lines: 1, here }.to_bytes();
            for (kind, payload) in
                [(Kind::Output, b"n 5".as_slice()), (Kind::Gap, &gap), (Kind::Output, b"6 n\n")]
            {
                writer.append(kind, journal::Stream::Stdout, payload).unwrap();
            }
        }
        let told = "[7 bytes of output in 1 lines were lost here]";
        // What went from the beginning of the journal is only told in the middle of a line.
        assert_eq!(texts(&read(dir.path(), beginning())), ["n 5", told, "6 n", told, "n 56 n"]);
    }

    #[test]
    fn a_process_that_never_wrote_has_no_journal() {
        let dir = tempfile::tempdir().unwrap();
        let reading = read(dir.path(), beginning());
        assert!(reading.drained && reading.failed.is_none() && texts(&reading).is_empty());
    }
}
