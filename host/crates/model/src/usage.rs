//! What processes use over time: points, how they are merged into coarser ones, and what is told of a series.

use std::collections::BTreeMap;

pub mod frame;

/// How finely the past is kept: the older, the coarser.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Resolution {
    /// Ten seconds a point, for an hour.
    TenSeconds,
    /// A minute a point, for a day.
    Minute,
    /// A quarter of an hour a point, for thirty days.
    Quarter,
}

impl Resolution {
    /// All, the finest first.
    pub const ALL: [Self; 3] = [Self::TenSeconds, Self::Minute, Self::Quarter];

    /// Length of a point, seconds.
    #[must_use]
    pub fn seconds(self) -> i64 {
        match self {
            Self::TenSeconds => 10,
            Self::Minute => 60,
            Self::Quarter => 900,
        }
    }

    /// How long its points are kept, seconds.
    #[must_use]
    pub fn kept_seconds(self) -> i64 {
        match self {
            Self::TenSeconds => 3_600,
            Self::Minute => 86_400,
            Self::Quarter => 30 * 86_400,
        }
    }

    /// The beginning of the point that a second falls into.
    #[must_use]
    pub fn start_of(self, second: i64) -> i64 {
        second.div_euclid(self.seconds()) * self.seconds()
    }

    /// The one whose points become points of this one; none for the finest.
    #[must_use]
    pub fn finer(self) -> Option<Self> {
        match self {
            Self::TenSeconds => None,
            Self::Minute => Some(Self::TenSeconds),
            Self::Quarter => Some(Self::Minute),
        }
    }

    /// The finest one that still has all of a window of the past.
    #[must_use]
    pub fn covering(window_seconds: i64) -> Self {
        Self::ALL.into_iter().find(|r| r.kept_seconds() >= window_seconds).unwrap_or(Self::Quarter)
    }
}

/// Smallest, largest and sum of some looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Gauge {
    /// The smallest.
    pub min: u64,
    /// The largest.
    pub max: u64,
    /// All together.
    pub sum: u64,
}

impl Gauge {
    /// One look.
    #[must_use]
    pub fn of(value: u64) -> Self {
        Self { min: value, max: value, sum: value }
    }

    fn merge(self, other: Self) -> Self {
        Self {
            min: self.min.min(other.min),
            max: self.max.max(other.max),
            sum: self.sum.saturating_add(other.sum),
        }
    }
}

/// What a process tree used over a stretch of time. Two of them make one that says the same of both together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Point {
    /// How many looks it is of; never 0.
    pub looks: u32,
    /// The time that CPU and bytes were counted over, milliseconds.
    pub span_ms: u64,
    /// CPU time used in it, microseconds.
    pub cpu_us: u64,
    /// The smallest use of CPU between two looks, thousandths of a core.
    pub cpu_min: u64,
    /// The largest.
    pub cpu_max: u64,
    /// Memory, bytes.
    pub memory: Gauge,
    /// Threads.
    pub threads: Gauge,
    /// Open files.
    pub open_files: Gauge,
    /// Bytes read from storage.
    pub read_bytes: u64,
    /// Bytes written to storage.
    pub written_bytes: u64,
}

impl Point {
    /// Both together.
    #[must_use]
    pub fn merge(self, other: Self) -> Self {
        Self {
            looks: self.looks.saturating_add(other.looks),
            span_ms: self.span_ms.saturating_add(other.span_ms),
            cpu_us: self.cpu_us.saturating_add(other.cpu_us),
            cpu_min: self.cpu_min.min(other.cpu_min),
            cpu_max: self.cpu_max.max(other.cpu_max),
            memory: self.memory.merge(other.memory),
            threads: self.threads.merge(other.threads),
            open_files: self.open_files.merge(other.open_files),
            read_bytes: self.read_bytes.saturating_add(other.read_bytes),
            written_bytes: self.written_bytes.saturating_add(other.written_bytes),
        }
    }

    /// Its values, each on a scale that people read.
    #[must_use]
    pub fn value(&self, what: Quantity) -> Value {
        let looks = f64::from(self.looks.max(1));
        let gauge = |g: Gauge| Value { min: g.min as f64, max: g.max as f64, mean: g.sum as f64 / looks };
        let total = |n: u64| Value { min: n as f64, max: n as f64, mean: n as f64 };
        match what {
            Quantity::CpuPercent => {
                let (min, max) = (self.cpu_min as f64 / 10.0, self.cpu_max as f64 / 10.0);
                let mean = self.cpu_us as f64 / 10.0 / (self.span_ms as f64).max(1.0);
                Value { min, max, mean: mean.clamp(min, max) }
            }
            Quantity::MemoryBytes => gauge(self.memory),
            Quantity::Threads => gauge(self.threads),
            Quantity::OpenFiles => gauge(self.open_files),
            Quantity::ReadBytes => total(self.read_bytes),
            Quantity::WrittenBytes => total(self.written_bytes),
        }
    }
}

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quantity {
    /// CPU, percent of one core.
    CpuPercent,
    /// Memory, bytes.
    MemoryBytes,
    /// Threads.
    Threads,
    /// Open files.
    OpenFiles,
    /// Bytes read from storage within the point.
    ReadBytes,
    /// Bytes written to storage within the point.
    WrittenBytes,
}

/// A quantity within a point.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Value {
    /// The smallest that was seen.
    pub min: f64,
    /// The largest.
    pub max: f64,
    /// The mean.
    pub mean: f64,
}

/// What is told of a series as a whole.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Summary {
    /// The smallest that was seen.
    pub min: f64,
    /// The largest.
    pub max: f64,
    /// The mean.
    pub mean: f64,
    /// 95 of 100 points have at most this (by their means).
    pub p95: f64,
}

/// Points by the second at which they begin.
pub type Series = BTreeMap<i64, Point>;

/// Merges points into longer ones.
#[must_use]
pub fn roll_up(points: impl IntoIterator<Item = (i64, Point)>, seconds: i64) -> Series {
    let mut coarse = Series::new();
    for (start, point) in points {
        let start = start.div_euclid(seconds.max(1)) * seconds.max(1);
        coarse.entry(start).and_modify(|p| *p = p.merge(point)).or_insert(point);
    }
    coarse
}

/// What is told of one quantity in a series; none of an empty one.
#[must_use]
pub fn summary(series: &Series, what: Quantity) -> Option<Summary> {
    let whole = series.values().copied().reduce(Point::merge)?;
    let mut means: Vec<f64> = series.values().map(|p| p.value(what).mean).collect();
    means.sort_unstable_by(f64::total_cmp);
    let rank = (means.len() * 95).div_ceil(100).max(1);
    let values = series.values().map(|p| p.value(what));
    let min = values.clone().map(|v| v.min).fold(f64::INFINITY, f64::min);
    let max = values.map(|v| v.max).fold(f64::NEG_INFINITY, f64::max);
    let mean = match what {
        // Totals of points: their mean is one of points.
        Quantity::ReadBytes | Quantity::WrittenBytes => means.iter().sum::<f64>() / means.len() as f64,
        _ => whole.value(what).mean,
    };
    Some(Summary { min, max, mean, p95: means[rank - 1] })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    const QUANTITIES: [Quantity; 6] = [
        Quantity::CpuPercent,
        Quantity::MemoryBytes,
        Quantity::Threads,
        Quantity::OpenFiles,
        Quantity::ReadBytes,
        Quantity::WrittenBytes,
    ];

    prop_compose! {
        /// One look, as the sampler makes it.
        pub(crate) fn look()(
            span_ms in 1_u64..100_000, permille in 0_u64..64_000, memory in 0_u64..1 << 45, threads in 0_u64..100_000,
            open_files in 0_u64..1 << 20, read_bytes in 0_u64..1 << 40, written_bytes in 0_u64..1 << 40,
        ) -> Point {
            Point {
                looks: 1, span_ms, cpu_us: permille * span_ms, cpu_min: permille, cpu_max: permille,
                memory: Gauge::of(memory), threads: Gauge::of(threads), open_files: Gauge::of(open_files),
                read_bytes, written_bytes,
            }
        }
    }

    proptest! {
        #[test]
        fn merging_does_not_depend_on_order(a in look(), b in look(), c in look()) {
            prop_assert_eq!(a.merge(b), b.merge(a));
            prop_assert_eq!(a.merge(b).merge(c), a.merge(b.merge(c)));
        }

        #[test]
        fn rolling_up_in_two_steps_is_rolling_up_at_once(
            looks in prop::collection::vec((0_i64..10_000, look()), 0..60),
        ) {
            let at_once = roll_up(looks.clone(), 900);
            let minutes = roll_up(roll_up(looks, 10), 60);
            prop_assert_eq!(roll_up(minutes, 900), at_once);
        }

        #[test]
        fn nothing_is_lost_or_made_up(looks in prop::collection::vec((0_i64..10_000, look()), 1..60)) {
            let coarse = roll_up(looks.clone(), 60);
            let totals = |points: &mut dyn Iterator<Item = &Point>| {
                points.fold([0_u64; 4], |t, p| {
                    [t[0] + p.cpu_us, t[1] + p.memory.sum, t[2] + p.written_bytes, t[3] + u64::from(p.looks)]
                })
            };
            prop_assert_eq!(totals(&mut looks.iter().map(|(_, p)| p)), totals(&mut coarse.values()));
            for what in QUANTITIES {
                let told = summary(&coarse, what).unwrap();
                prop_assert!(told.min <= told.mean && told.mean <= told.max, "{what:?} {told:?}");
                prop_assert!(told.min <= told.p95 && told.p95 <= told.max, "{what:?} {told:?}");
            }
        }
    }

    #[test]
    fn a_window_has_the_finest_points_that_are_kept_so_long() {
        let of = |hours: i64| Resolution::covering(hours * 3600);
        assert_eq!(
            [of(1), of(2), of(24), of(25), of(24 * 365)],
            [
                Resolution::TenSeconds,
                Resolution::Minute,
                Resolution::Minute,
                Resolution::Quarter,
                Resolution::Quarter
            ]
        );
        assert_eq!(Resolution::Minute.start_of(-1), -60);
        assert_eq!(summary(&Series::new(), Quantity::Threads), None);
    }

    #[test]
    fn the_mean_of_cpu_is_over_time_not_over_looks() {
        let point = |start, span_ms, permille| {
            let memory = Gauge::of(0);
            let point = Point {
                looks: 1,
                span_ms,
                cpu_us: permille * span_ms,
                cpu_min: permille,
                cpu_max: permille,
                memory,
                threads: memory,
                open_files: memory,
                read_bytes: 0,
                written_bytes: 0,
            };
            (start, point)
        };
        let series = roll_up([point(0, 9_000, 0), point(9, 1_000, 1_000)], 10);
        let value = series[&0].value(Quantity::CpuPercent);
        assert_eq!(value, Value { min: 0.0, max: 100.0, mean: 10.0 });
    }
}
