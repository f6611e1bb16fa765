//! Whether a tree is beyond its limits, of those that the kernel does not hold it to.

use crate::exit::Cause;
use crate::spec::Limits;
use crate::usage::{Point, Quantity, Series};

/// CPU is judged over this time: a limit is about use that lasts, not about a start.
pub const CPU_SECONDS: i64 = 10;

/// What was seen of a tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// Its memory, bytes.
    pub memory_bytes: u64,
    /// Its processes and threads.
    pub processes: u64,
    /// Its mean use of CPU over [`CPU_SECONDS`], percent of a core; none while it is younger.
    pub cpu_percent: Option<u32>,
}

/// The first limit that it is beyond.
#[must_use]
pub fn breach(limits: &Limits, seen: &Seen) -> Option<Cause> {
    let memory = limits.memory_bytes.filter(|limit| seen.memory_bytes > *limit);
    let processes = limits.processes.filter(|limit| seen.processes > *limit);
    let cpu = limits.cpu_percent.zip(seen.cpu_percent).filter(|(limit, used)| used > limit);
    memory
        .map(|limit| Cause::Memory { limit, used: seen.memory_bytes })
        .or(processes.map(|limit| Cause::Processes { limit, used: seen.processes }))
        .or(cpu.map(|(limit, used)| Cause::Cpu { limit, used }))
}

/// The mean use of CPU over the last [`CPU_SECONDS`] before `now` (seconds), percent of a core; none when the looks
/// do not cover them.
#[must_use]
pub fn lasting_cpu(looks: &Series, now: i64) -> Option<u32> {
    let window = looks.range(now - CPU_SECONDS..).map(|(_, point)| *point);
    let whole = window.reduce(Point::merge)?;
    let covered = whole.span_ms + 2_000 >= CPU_SECONDS.unsigned_abs() * 1000;
    covered.then(|| whole.value(Quantity::CpuPercent).mean.round() as u32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::usage::Gauge;

    #[test]
    fn each_limit_is_judged_alone() {
        let seen = Seen { memory_bytes: 100, processes: 10, cpu_percent: Some(80) };
        let judge = |limits| breach(&limits, &seen);
        assert_eq!(judge(Limits::default()), None);
        let at_all = Limits {
            memory_bytes: Some(100),
            processes: Some(10),
            cpu_percent: Some(80),
            open_files: Some(1),
        };
        assert_eq!(judge(at_all), None, "at a limit is not beyond it");
        let memory = Limits { memory_bytes: Some(99), ..at_all };
        assert_eq!(judge(memory), Some(Cause::Memory { limit: 99, used: 100 }));
        assert_eq!(
            judge(Limits { processes: Some(9), ..at_all }),
            Some(Cause::Processes { limit: 9, used: 10 })
        );
        assert_eq!(
            judge(Limits { cpu_percent: Some(79), ..at_all }),
            Some(Cause::Cpu { limit: 79, used: 80 })
        );
        let young = Seen { cpu_percent: None, ..seen };
        assert_eq!(breach(&Limits { cpu_percent: Some(1), ..Limits::default() }, &young), None);
    }

    #[test]
    fn cpu_counts_when_it_lasts() {
        let look = |permille: u64| Point {
            looks: 1,
            span_ms: 1000,
            cpu_us: permille * 1000,
            cpu_min: permille,
            cpu_max: permille,
            memory: Gauge::of(0),
            threads: Gauge::of(1),
            open_files: Gauge::of(1),
            read_bytes: 0,
            written_bytes: 0,
        };
        let busy: Series = (0..5).map(|s| (s, look(1000))).collect();
        assert_eq!(lasting_cpu(&busy, 5), None, "not yet long enough");
        let half: Series = (0..20).map(|s| (s, look(if s % 2 == 0 { 1000 } else { 0 }))).collect();
        assert_eq!(lasting_cpu(&half, 20), Some(50));
        assert_eq!(lasting_cpu(&half, 1000), None);
    }
}
