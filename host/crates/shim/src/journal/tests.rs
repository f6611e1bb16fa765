use proptest::prelude::*;

use super::*;

type Owned = (Kind, Stream, Vec<u8>);

fn all(reader: &mut Reader) -> Vec<Owned> {
    let mut records = Vec::new();
    while let Some(r) = reader.next().unwrap() {
        records.push((r.kind, r.stream, r.payload.to_vec()));
    }
    records
}

fn read(dir: &Path) -> Vec<Owned> {
    all(&mut Reader::open(dir, Position::default()).unwrap())
}

fn record() -> impl Strategy<Value = Owned> {
    let kind = prop_oneof![8 => Just(Kind::Output), 1 => Just(Kind::Exit)];
    let stream = prop_oneof![Just(Stream::Stdout), Just(Stream::Stderr)];
    (kind, stream, prop::collection::vec(any::<u8>(), 0..300))
}

fn records() -> impl Strategy<Value = Vec<Owned>> {
    prop::collection::vec(record(), 0..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn what_is_written_is_read_in_any_rhythm_and_from_any_place(
        records in records(), segment_bytes in 1_u64..3_000, look in prop::collection::vec(any::<bool>(), 60),
        resume in prop::collection::vec(any::<bool>(), 60),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = Writer::create(dir.path(), segment_bytes).unwrap();
        let mut reader = Reader::open(dir.path(), Position::default()).unwrap();
        let mut got = Vec::new();
        for (at, (kind, stream, payload)) in records.iter().enumerate() {
            writer.append(*kind, *stream, payload).unwrap();
            if look[at] {
                got.extend(all(&mut reader));
            }
            if resume[at] {
                reader = Reader::open(dir.path(), reader.position()).unwrap();
            }
        }
        got.extend(all(&mut reader));
        prop_assert_eq!(&got, &records);
        prop_assert_eq!(read(dir.path()), records);
    }

    #[test]
    fn a_torn_tail_hides_nothing_before_it(records in records(), cut in 0_u64..400) {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = Writer::create(dir.path(), u64::MAX).unwrap();
        let mut ends = vec![HEADER];
        for (kind, stream, payload) in &records {
            writer.append(*kind, *stream, payload).unwrap();
            ends.push(writer.position().offset);
        }
        let keep = writer.position().offset.saturating_sub(cut).max(HEADER);
        File::options().write(true).open(segment_path(&dir.path().join(FOLDER), 1)).unwrap().set_len(keep).unwrap();
        let whole = ends.iter().filter(|end| **end <= keep).count() - 1;
        prop_assert_eq!(read(dir.path()), &records[..whole]);
    }

    #[test]
    fn damage_in_a_closed_segment_is_a_gap_and_the_rest_is_read(at in 0_u64..400, flip in 1_u8..=255) {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = Writer::create(dir.path(), 400).unwrap();
        for _ in 0..20 {
            writer.append(Kind::Output, Stream::Stdout, &[b'x'; 50]).unwrap();
        }
        flip_byte(dir.path(), 1, at, flip);
        let mut reader = Reader::open(dir.path(), Position::default()).unwrap();
        if let Err(error) = reader.next() {
            // Nobody can tell it from a segment of a newer version: nothing is lost, and somebody has to look.
            prop_assert!(VERSION.contains(&at) && error.kind() == io::ErrorKind::Unsupported, "{} {}", at, error);
            return Ok(());
        }
        let got = read(dir.path());
        let gaps: Vec<_> = got.iter().filter(|r| r.0 == Kind::Gap).collect();
        // What stands in the header besides the magic is not needed to read it.
        prop_assert_eq!(gaps.len(), usize::from(!(MAGIC.len() as u64..HEADER).contains(&at)));
        let lost: u64 = gaps.iter().map(|gap| Gap::from_bytes(&gap.2).bytes).sum();
        prop_assert_eq!(got.len() - gaps.len() + lost as usize / (50 + RECORD_HEADER), 20);
    }

    #[test]
    fn damage_in_the_last_segment_is_what_remains_unread(at in 0_u64..400, flip in 1_u8..=255) {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = Writer::create(dir.path(), u64::MAX).unwrap();
        for _ in 0..20 {
            writer.append(Kind::Output, Stream::Stdout, &[b'x'; 50]).unwrap();
        }
        let bytes = writer.total_bytes() - HEADER;
        flip_byte(dir.path(), 1, at, flip);
        let mut reader = Reader::open(dir.path(), Position::default()).unwrap();
        if VERSION.contains(&at) && reader.next().is_err() {
            return Ok(());
        }
        let mut reader = Reader::open(dir.path(), Position::default()).unwrap();
        let whole = all(&mut reader).len() as u64;
        prop_assert_eq!(whole * (50 + RECORD_HEADER as u64) + reader.unread().unwrap(), bytes);
    }
}

/// Where the version stands in the header of a segment.
const VERSION: std::ops::Range<u64> = 8..10;

fn flip_byte(dir: &Path, segment: u64, at: u64, flip: u8) {
    let path = segment_path(&dir.join(FOLDER), segment);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[at as usize] ^= flip;
    std::fs::write(&path, bytes).unwrap();
}

#[test]
fn a_segment_of_a_newer_version_is_refused_and_says_so() {
    let dir = tempfile::tempdir().unwrap();
    Writer::create(dir.path(), 100).unwrap().append(Kind::Output, Stream::Stdout, b"new").unwrap();
    // Version 1 becomes 3.
    flip_byte(dir.path(), 1, VERSION.start, 2);
    let mut reader = Reader::open(dir.path(), Position::default()).unwrap();
    for error in [reader.next().unwrap_err(), Writer::resume(dir.path(), 100).unwrap_err()] {
        let why = error.to_string();
        assert!(why.contains("journal is of version 3") && why.contains("up to 1"), "{why}");
    }
}

#[test]
fn a_segment_that_was_never_begun_hides_nothing_behind_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = Writer::create(dir.path(), 1).unwrap();
    for n in 0..4_u8 {
        writer.append(Kind::Output, Stream::Stdout, &[n]).unwrap();
    }
    File::options().write(true).open(segment_path(&dir.path().join(FOLDER), 2)).unwrap().set_len(0).unwrap();
    let rest: Vec<u8> = read(dir.path()).into_iter().flat_map(|r| r.2).collect();
    assert_eq!(rest, [0, 2, 3]);
}

#[test]
fn a_successor_mends_the_header_and_what_is_read_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    Writer::create(dir.path(), u64::MAX).unwrap().append(Kind::Output, Stream::Stdout, b"one").unwrap();
    flip_byte(dir.path(), 1, 0, 1);
    assert!(read(dir.path()).is_empty());
    let mut writer = Writer::resume(dir.path(), u64::MAX).unwrap();
    writer.append(Kind::Output, Stream::Stdout, b"two").unwrap();
    let texts: Vec<_> = read(dir.path()).into_iter().map(|r| r.2).collect();
    assert_eq!(texts, [b"one", b"two"]);
}

#[test]
fn damage_that_is_dropped_unread_is_counted() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = Writer::create(dir.path(), 1).unwrap();
    for _ in 0..3 {
        writer.append(Kind::Output, Stream::Stdout, b"0123456789").unwrap();
    }
    flip_byte(dir.path(), 1, 3, 1);
    flip_byte(dir.path(), 2, HEADER + 8, 1);
    let all = Gap { bytes: 10 + RECORD_HEADER as u64, ..Gap::default() };
    assert_eq!(writer.drop_oldest(Position::default()), Some(all));
    assert_eq!(writer.drop_oldest(Position::default()), Some(all));
}

#[test]
fn the_oldest_segment_goes_and_its_output_is_counted() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = Writer::create(dir.path(), 200).unwrap();
    for n in 0..10 {
        writer.append(Kind::Output, Stream::Stdout, format!("line {n}\nmore\n").as_bytes()).unwrap();
    }
    let before = writer.total_bytes();
    let gap = writer.drop_oldest(Position::default()).unwrap();
    assert!(gap.bytes > 0 && gap.lines * 12 == gap.bytes * 2, "{gap:?}");
    assert!(writer.total_bytes() < before);
    let kept: Vec<_> = read(dir.path());
    assert_eq!(kept.len() as u64 * 12 + gap.bytes, 120);
    while writer.drop_oldest(Position::default()).is_some() {}
    assert!(!read(dir.path()).is_empty(), "the current segment is never dropped");
}

#[test]
fn what_was_consumed_is_not_counted_as_lost() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = Writer::create(dir.path(), 100).unwrap();
    let mut reader = Reader::open(dir.path(), Position::default()).unwrap();
    for _ in 0..4 {
        writer.append(Kind::Output, Stream::Stdout, b"0123456789").unwrap();
    }
    reader.next().unwrap();
    let consumed = reader.position();
    assert_eq!(writer.drop_oldest(consumed), Some(Gap { bytes: 10, ..Gap::default() }));
}

#[test]
fn a_reader_of_dropped_segments_goes_on_at_the_oldest_there_is() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = Writer::create(dir.path(), 1).unwrap();
    for n in 0..5_u8 {
        writer.append(Kind::Output, Stream::Stdout, &[n]).unwrap();
    }
    let mut reader = Reader::open(dir.path(), Position::default()).unwrap();
    assert_eq!(reader.next().unwrap().unwrap().payload, [0]);
    writer.remove_before(4);
    let rest: Vec<u8> = all(&mut reader).into_iter().flat_map(|r| r.2).collect();
    assert_eq!(rest, [3, 4]);
}
