//! Which line goes to which parser, and which events may be stored. Pure.
//!
//! Each parser of a chain gets the lines that those before it did not understand, in their order. What one cannot judge
//! yet waits in front of it and comes again. A line that no parser understood is done as well: it has no event.

use std::collections::VecDeque;
use std::ops::Range;

use crate::event::Event;

/// A line on its way through the parsers of its stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line {
    /// Its number in the run.
    pub seq: u64,
    /// Its number in its stream: lines that follow each other there have numbers that do.
    pub place: u64,
}

/// The lines of one stream, by the parser in front of which they wait.
#[derive(Debug, Clone)]
pub struct Chain {
    waiting: Vec<VecDeque<Line>>,
    next_place: u64,
}

impl Chain {
    /// A chain of so many parsers.
    #[must_use]
    pub fn new(parsers: usize) -> Self {
        Self { waiting: vec![VecDeque::new(); parsers], next_place: 0 }
    }

    /// A line comes to the first parser.
    pub fn push(&mut self, seq: u64) {
        let place = self.next_place;
        self.next_place += 1;
        if let Some(first) = self.waiting.first_mut() {
            first.push_back(Line { seq, place });
        }
    }

    /// Something stands between the line before and the one behind: no event has both.
    pub fn part(&mut self) {
        self.next_place += 1;
    }

    /// The lines in front of a parser.
    #[must_use]
    pub fn offer(&self, parser: usize) -> Vec<Line> {
        self.waiting.get(parser).into_iter().flatten().copied().collect()
    }

    /// A parser answered about the first `offered` lines in front of it: `events` are made of lines by their index
    /// among them, in order and without overlap, and from `pending_from` on it cannot judge yet. What it did not
    /// understand goes to the next one. Returns which of the events stand: one whose lines do not follow each other in
    /// their stream does not.
    pub fn settle(
        &mut self,
        parser: usize,
        offered: usize,
        events: &[Range<usize>],
        pending_from: Option<usize>,
    ) -> Vec<bool> {
        let Some(queue) = self.waiting.get_mut(parser) else { return vec![false; events.len()] };
        let judged = pending_from.unwrap_or(offered).min(offered).min(queue.len());
        let lines: Vec<Line> = queue.drain(..judged).collect();
        let stands: Vec<bool> = events.iter().map(|event| is_whole(&lines, event)).collect();
        if let Some(next) = self.waiting.get_mut(parser + 1) {
            let mut events =
                events.iter().zip(&stands).filter(|(_, stands)| **stands).map(|(event, _)| event);
            let mut event = events.next();
            for (index, line) in lines.iter().enumerate() {
                while event.is_some_and(|range| range.end <= index) {
                    event = events.next();
                }
                if !event.is_some_and(|range| range.contains(&index)) {
                    next.push_back(*line);
                }
            }
        }
        stands
    }

    /// How many lines wait in front of a parser.
    #[must_use]
    pub fn waiting(&self, parser: usize) -> usize {
        self.waiting.get(parser).map_or(0, VecDeque::len)
    }

    /// The first line that waits anywhere.
    #[must_use]
    pub fn first_waiting(&self) -> Option<u64> {
        self.waiting.iter().filter_map(|queue| queue.front()).map(|line| line.seq).min()
    }
}

fn is_whole(lines: &[Line], event: &Range<usize>) -> bool {
    match lines.get(event.clone()) {
        Some([first, .., last]) => last.place - first.place == (event.len() - 1) as u64,
        Some([_]) => true,
        Some([]) | None => false,
    }
}

/// Up to which line all is known, so that it can be stored: not beyond `next`, the first line that was not offered or
/// still waits, and not into an event. Takes out the events before it.
pub fn cut(events: &mut Vec<Event>, mut next: u64) -> (u64, Vec<Event>) {
    // An event that reaches beyond the cut moves it in front of itself, which may split another one.
    while let Some(split) =
        events.iter().filter(|e| e.first_seq < next && e.last_seq >= next).map(|e| e.first_seq).min()
    {
        next = split;
    }
    let (known, later) = std::mem::take(events).into_iter().partition(|event| event.last_seq < next);
    *events = later;
    (next, known)
}

#[cfg(test)]
#[allow(clippy::single_range_in_vec_init, reason = "a list of events that has one")]
mod tests {
    use std::collections::BTreeMap;

    use crate::event::Severity;
    use crate::lines::Stream;
    use crate::time::Timestamp;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_one_parser_leaves_goes_to_the_next() {
        let mut chain = Chain::new(2);
        for seq in [1, 3, 4, 7, 8] {
            chain.push(seq);
        }
        assert_eq!(chain.settle(0, 5, &[1..3], Some(4)), [true]);
        let seqs = |lines: Vec<Line>| lines.iter().map(|line| line.seq).collect::<Vec<_>>();
        assert_eq!((seqs(chain.offer(0)), seqs(chain.offer(1))), (vec![8], vec![1, 7]));
        // Lines 1 and 7 do not follow each other: the first parser has what was between.
        assert_eq!(chain.settle(1, 2, &[0..2], None), [false]);
        assert_eq!(chain.first_waiting(), Some(8));
        assert_eq!(chain.settle(0, 1, &[], None), Vec::<bool>::new());
        assert_eq!(chain.settle(1, 1, &[0..1], None), [true]);
        assert_eq!(chain.first_waiting(), None);
    }

    #[test]
    fn no_event_has_what_is_on_both_sides_of_a_gap() {
        let mut chain = Chain::new(1);
        chain.push(1);
        chain.part();
        chain.push(3);
        assert_eq!(chain.settle(0, 2, &[0..2], None), [false]);
    }

    fn event(first_seq: u64, last_seq: u64) -> Event {
        Event {
            first_seq,
            last_seq,
            stream: Stream::Stdout,
            time: Timestamp(0),
            event_time: None,
            severity: Severity::UNKNOWN,
            message: String::new(),
            fields: Vec::new(),
        }
    }

    #[test]
    fn an_event_is_not_cut() {
        let mut events = vec![event(1, 2), event(3, 6), event(4, 5), event(8, 9)];
        let (next, known) = cut(&mut events, 6);
        assert_eq!((next, known), (3, vec![event(1, 2)]));
        let (next, known) = cut(&mut events, 9);
        assert_eq!((next, known.len(), events), (8, 2, vec![event(8, 9)]));
    }

    /// A parser that answers anything that the contract allows.
    fn answer(seed: u64, offered: usize, ended: bool) -> (Vec<Range<usize>>, Option<usize>) {
        let mut random = seed;
        let mut next = |below: usize| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (random >> 33) as usize % below.max(1)
        };
        let pending = (!ended && next(3) == 0).then(|| next(offered + 1));
        let (mut events, mut at) = (Vec::new(), 0);
        while at < pending.unwrap_or(offered) {
            let end = (at + 1 + next(4)).min(pending.unwrap_or(offered));
            if next(2) == 0 {
                events.push(at..end);
            }
            at = end;
        }
        (events, pending)
    }

    proptest! {
        /// Whatever parsers answer: no line is lost or in two events, each parser sees lines in their order, and when
        /// the stream ends nothing waits.
        #[test]
        fn every_line_ends_in_one_event_or_in_none(
            batches in prop::collection::vec((0..12_u64, any::<u64>()), 1..20),
            parsers in 1..5_usize,
        ) {
            let mut chain = Chain::new(parsers);
            let (mut seq, mut owner, mut stored) = (0, BTreeMap::new(), 0);
            let mut held: Vec<Event> = Vec::new();
            let last = batches.len();
            for (index, (lines, seed)) in batches.iter().enumerate() {
                for _ in 0..*lines {
                    seq += 1;
                    chain.push(seq);
                }
                for parser in 0..parsers {
                    let offered = chain.offer(parser);
                    prop_assert!(offered.windows(2).all(|pair| pair[0].seq < pair[1].seq));
                    let (events, pending) = answer(seed ^ parser as u64, offered.len(), index + 1 == last);
                    let stands = chain.settle(parser, offered.len(), &events, pending);
                    for (range, _) in events.iter().zip(stands).filter(|(_, stands)| *stands) {
                        let lines = &offered[range.clone()];
                        for line in lines {
                            prop_assert_eq!(owner.insert(line.seq, range.start), None);
                        }
                        held.push(event(lines[0].seq, lines[lines.len() - 1].seq));
                    }
                }
                let (next, known) = cut(&mut held, chain.first_waiting().unwrap_or(seq + 1));
                prop_assert!(next >= stored);
                prop_assert!(known.iter().all(|event| event.first_seq >= stored && event.last_seq < next));
                stored = next;
            }
            prop_assert_eq!((chain.first_waiting(), stored, held.len()), (None, seq + 1, 0));
        }
    }
}
