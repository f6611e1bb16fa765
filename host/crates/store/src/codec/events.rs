//! A row of events: in one column after the other their places, marks, times, messages and fields, then all text.
//!
//! A message that stands in the first line of its event is kept as its place there, so that text is not stored twice.

use std::ops::Range;

use hostler_model::Timestamp;
use hostler_model::event::Severity;
use hostler_model::lines::Stream;
use hostler_model::text::lossy;

use super::numbers::{Numbers, put, put_signed};
use super::{Effort, damaged, pack, unpack};
use crate::error::StoreError;
use crate::rows::stream_of;

/// What an event says, without level, time and fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Message {
    /// These bytes of its first line.
    Within(Range<usize>),
    /// A text of its own.
    Text(String),
}

/// An event as it is stored: the line itself is elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoredEvent {
    pub(crate) first_seq: u64,
    pub(crate) last_seq: u64,
    pub(crate) stream: Stream,
    pub(crate) severity: Severity,
    pub(crate) event_time: Option<Timestamp>,
    pub(crate) message: Message,
    pub(crate) fields: Vec<(String, String)>,
}

/// The blob of events, which are in the order of their first lines.
pub(crate) fn encode(events: &[StoredEvent], effort: Effort) -> Vec<u8> {
    let mut out = Vec::with_capacity(events.len() * 16);
    put(&mut out, events.len() as u64);
    let mut before = 0;
    for event in events {
        put(&mut out, event.first_seq.wrapping_sub(before));
        before = event.first_seq;
    }
    for event in events {
        put(&mut out, event.last_seq.saturating_sub(event.first_seq));
    }
    out.extend(events.iter().map(|event| event.stream as u8 | event.severity.number() << 1));
    let mut before = 0;
    for event in events {
        out.push(u8::from(event.event_time.is_some()));
        if let Some(time) = event.event_time {
            put_signed(&mut out, time.0.wrapping_sub(before));
            before = time.0;
        }
    }
    let mut text = Vec::new();
    for event in events {
        encode_words(event, &mut out, &mut text);
    }
    out.append(&mut text);
    pack(&out, effort)
}

/// Message and fields: their places and lengths behind one another, their text elsewhere.
fn encode_words(event: &StoredEvent, out: &mut Vec<u8>, text: &mut Vec<u8>) {
    match &event.message {
        Message::Text(message) => {
            put(out, 0);
            put(out, message.len() as u64);
            text.extend_from_slice(message.as_bytes());
        }
        Message::Within(range) => {
            put(out, range.start as u64 + 1);
            put(out, range.len() as u64);
        }
    }
    put(out, event.fields.len() as u64);
    for (key, value) in &event.fields {
        put(out, key.len() as u64);
        put(out, value.len() as u64);
        text.extend_from_slice(key.as_bytes());
        text.extend_from_slice(value.as_bytes());
    }
}

/// What is known of an event before its words are looked at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Head {
    pub(crate) first_seq: u64,
    pub(crate) last_seq: u64,
    pub(crate) stream: Stream,
    pub(crate) severity: Severity,
    event_time: Option<Timestamp>,
    /// Where its words are described, and where its text begins.
    words_at: usize,
    text_at: usize,
}

/// The events of a blob. Their words are read when they are asked for.
#[derive(Debug, Default)]
pub(crate) struct Events {
    content: Vec<u8>,
    heads: Vec<Head>,
    /// Which of them belong to each stream.
    of_stream: [Vec<u32>; 2],
}

impl Events {
    /// Reads a blob.
    pub(crate) fn decode(blob: &[u8]) -> Result<Self, StoreError> {
        let content = unpack(blob)?;
        let mut numbers = Numbers(&content);
        let count = numbers.take_count()?;
        let mut heads = Vec::with_capacity(count);
        let mut before = 0_u64;
        for _ in 0..count {
            before = before.wrapping_add(numbers.take()?);
            heads.push(Head {
                first_seq: before,
                last_seq: before,
                stream: Stream::Stdout,
                severity: Severity::UNKNOWN,
                event_time: None,
                words_at: 0,
                text_at: 0,
            });
        }
        for head in &mut heads {
            head.last_seq = head.first_seq.saturating_add(numbers.take()?);
        }
        for (head, mark) in heads.iter_mut().zip(numbers.take_bytes(count)?) {
            head.stream = stream_of(*mark);
            head.severity = Severity::new(mark >> 1);
        }
        let mut before = 0_i64;
        for head in &mut heads {
            if numbers.take_bytes(1)?[0] != 0 {
                before = before.wrapping_add(numbers.take_signed()?);
                head.event_time = Some(Timestamp(before));
            }
        }
        find_words(&mut heads, numbers, content.len())?;
        let mut of_stream = [Vec::new(), Vec::new()];
        heads.iter().zip(0..).for_each(|(head, at)| of_stream[head.stream as usize].push(at));
        Ok(Self { content, heads, of_stream })
    }

    /// What is known of all of them, in order.
    pub(crate) fn heads(&self) -> &[Head] {
        &self.heads
    }

    /// The last one of a stream that begins with this line or before it.
    pub(crate) fn newest(&self, seq: u64, stream: Stream) -> Option<(usize, &Head)> {
        let places = &self.of_stream[stream as usize];
        let behind = places.partition_point(|at| self.heads[*at as usize].first_seq <= seq);
        let at = places[behind.checked_sub(1)?] as usize;
        Some((at, &self.heads[at]))
    }

    /// One of them, whole.
    pub(crate) fn get(&self, at: usize) -> Result<StoredEvent, StoreError> {
        let head = self.heads[at];
        let mut numbers = Numbers(&self.content[head.words_at..]);
        let mut text = Numbers(&self.content[head.text_at..]);
        let mut word = |length: u64| -> Result<String, StoreError> {
            let bytes = text.take_bytes(usize::try_from(length).unwrap_or(usize::MAX))?;
            Ok(lossy(bytes).into_owned())
        };
        let (start, length) = (numbers.take()?, numbers.take()?);
        let message = if start == 0 {
            Message::Text(word(length)?)
        } else {
            let start = (start - 1) as usize;
            Message::Within(start..start.saturating_add(length as usize))
        };
        let fields = (0..numbers.take()?)
            .map(|_| {
                let (key, value) = (numbers.take()?, numbers.take()?);
                Ok((word(key)?, word(value)?))
            })
            .collect::<Result<_, StoreError>>()?;
        Ok(StoredEvent {
            first_seq: head.first_seq,
            last_seq: head.last_seq,
            stream: head.stream,
            severity: head.severity,
            event_time: head.event_time,
            message,
            fields,
        })
    }
}

fn find_words(heads: &mut [Head], mut numbers: Numbers<'_>, whole: usize) -> Result<(), StoreError> {
    let mut text = 0_u64;
    for head in heads.iter_mut() {
        head.words_at = whole - numbers.0.len();
        head.text_at = text as usize;
        let (start, length) = (numbers.take()?, numbers.take()?);
        if start == 0 {
            text = text.saturating_add(length);
        }
        for _ in 0..numbers.take_count()? {
            text = text.saturating_add(numbers.take()?).saturating_add(numbers.take()?);
        }
    }
    if text != numbers.0.len() as u64 {
        return Err(damaged("the text of its events has another length"));
    }
    let begin = whole - numbers.0.len();
    heads.iter_mut().for_each(|head| head.text_at += begin);
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_events() -> impl Strategy<Value = Vec<StoredEvent>> {
        let message = prop_oneof![
            ".{0,20}".prop_map(Message::Text),
            (0..90_usize, 0..90_usize).prop_map(|(start, len)| Message::Within(start..start + len)),
        ];
        let event = (
            (1..5_u64, 0..4_u64, any::<bool>(), 0..25_u8),
            (prop::option::of(any::<i64>()), message, prop::collection::vec((".{0,5}", ".{0,9}"), 0..4)),
        );
        prop::collection::vec(event, 0..40).prop_map(|list| {
            let mut first_seq = 0;
            let made = list.into_iter().map(|((step, span, err, level), (time, message, fields))| {
                first_seq += step;
                StoredEvent {
                    first_seq,
                    last_seq: first_seq + span,
                    stream: if err { Stream::Stderr } else { Stream::Stdout },
                    severity: Severity::new(level),
                    event_time: time.map(Timestamp),
                    message,
                    fields,
                }
            });
            made.collect()
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(events in any_events()) {
            let read = Events::decode(&encode(&events, Effort::Quick)).unwrap();
            let read: Vec<_> = (0..read.heads().len()).map(|at| read.get(at).unwrap()).collect();
            prop_assert_eq!(read, events);
        }

        #[test]
        fn damage_is_an_error_and_no_panic(events in any_events(), at in any::<prop::sample::Index>(), by in 1..=255_u8) {
            let mut blob = encode(&events, Effort::Quick);
            let at = at.index(blob.len());
            blob[at] ^= by;
            if let Ok(read) = Events::decode(&blob) {
                for at in 0..read.heads().len() {
                    drop(read.get(at));
                }
            }
        }
    }
}
