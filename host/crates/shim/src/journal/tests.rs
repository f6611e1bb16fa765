use std::fs::File;

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
    fn damage_in_a_closed_segment_is_a_gap_and_the_rest_is_read(at in HEADER..400, flip in 1_u8..=255) {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = Writer::create(dir.path(), 400).unwrap();
        for _ in 0..20 {
            writer.append(Kind::Output, Stream::Stdout, &[b'x'; 50]).unwrap();
        }
        let path = segment_path(&dir.path().join(FOLDER), 1);
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[at as usize] ^= flip;
        std::fs::write(&path, bytes).unwrap();
        let got = read(dir.path());
        let gaps: Vec<_> = got.iter().filter(|r| r.0 == Kind::Gap).collect();
        prop_assert_eq!(gaps.len(), 1);
        let lost = Gap::from_bytes(&gaps[0].2).bytes as usize / (50 + RECORD_HEADER);
        prop_assert_eq!(got.len() - 1 + lost, 20);
    }
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
    assert_eq!(writer.drop_oldest(consumed), Some(Gap { bytes: 10, lines: 0 }));
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
