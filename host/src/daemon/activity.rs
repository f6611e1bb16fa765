//! When a process wrote lines, and how many: for "silent for so long", "lines per minute" and counters.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

const SECONDS: usize = 60;

/// So much output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Output {
    pub(crate) lines: u64,
    pub(crate) bytes: u64,
}

/// The last minute of one process, and all that this daemon has seen.
#[derive(Debug)]
pub(crate) struct Activity(Mutex<Minute>);

#[derive(Debug)]
struct Minute {
    began: Instant,
    last: Instant,
    total: Output,
    /// Lines by second, and which second since the beginning a place is about.
    counts: [(u64, u64); SECONDS],
}

impl Default for Activity {
    /// Silence is counted from now: what was before this daemon is not known.
    fn default() -> Self {
        let now = Instant::now();
        Self(Mutex::new(Minute {
            began: now,
            last: now,
            total: Output::default(),
            counts: [(0, 0); SECONDS],
        }))
    }
}

impl Activity {
    /// So much came now.
    pub(crate) fn note(&self, output: Output) {
        self.minute().note(output, Instant::now());
    }

    /// All that came since this daemon has started.
    pub(crate) fn total(&self) -> Output {
        self.minute().total
    }

    /// How long none came.
    pub(crate) fn silent(&self) -> Duration {
        self.minute().last.elapsed()
    }

    /// Lines within the last minute.
    pub(crate) fn last_minute(&self) -> u64 {
        self.minute().sum(Instant::now())
    }

    fn minute(&self) -> std::sync::MutexGuard<'_, Minute> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Minute {
    fn note(&mut self, output: Output, now: Instant) {
        let Output { lines, bytes } = output;
        self.total.lines += lines;
        self.total.bytes += bytes;
        let second = (now - self.began).as_secs();
        let place = &mut self.counts[second as usize % SECONDS];
        *place = (second, if place.0 == second { place.1 + lines } else { lines });
        self.last = now;
    }

    fn sum(&self, now: Instant) -> u64 {
        let second = (now - self.began).as_secs();
        let recent = self.counts.iter().filter(|(of, _)| of + SECONDS as u64 > second);
        recent.map(|(_, lines)| lines).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_count_for_a_minute() {
        let activity = Activity::default();
        let mut minute = activity.minute();
        let at = |seconds| minute.began + Duration::from_secs(seconds);
        let (start, later, end) = (at(0), at(59), at(61));
        let lines = |lines| Output { lines, bytes: 10 * lines };
        minute.note(lines(5), start);
        minute.note(lines(2), start);
        assert_eq!(minute.sum(start), 7);
        minute.note(lines(1), later);
        assert_eq!(minute.sum(later), 8);
        assert_eq!(minute.sum(end), 1);
        minute.note(lines(3), end);
        assert_eq!((minute.sum(end), minute.last), (4, end));
        assert_eq!(minute.total, lines(11), "the total forgets nothing");
    }
}
