//! One process tree, look by look.
//!
//! `/proc` and the run's control group are read directly, not by way of sysinfo: that reads every process of the
//! machine to learn about a few, knows nothing of a tree, its PSS or its control group, and a tick over a thousand
//! trees must cost next to nothing.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use hostler_model::RunNo;
use hostler_model::usage::{Gauge, Point, Resolution, Series};
use hostler_supervisor::cgroup::{self, GroupUsage};
use hostler_supervisor::group_limits::{Held, held};
use hostler_supervisor::proc::{self, Listeners, Process, Roots};

use super::Target;

/// How long single looks are remembered, seconds.
const RECENT: i64 = 60;

/// A process younger than this counts from its start at the first look, an older one from that look on.
const YOUNG: Duration = Duration::from_secs(15);

/// After a walk over a tree's pages comes a pause of so many times its length: at most a thousandth of a core for each.
const PAGES_PAUSE: u32 = 1000;

/// A tree that sleeps is read anew after this: memory may go from it without it.
const LOOKED_THROUGH: Duration = Duration::from_secs(60);

/// What a tree uses.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Usage {
    pub(crate) cpu_percent: f64,
    pub(crate) memory_bytes: u64,
    pub(crate) threads: u64,
    pub(crate) open_files: u64,
    /// Looked up only for views.
    pub(crate) ports: Vec<u16>,
    pub(crate) tree: Vec<Process>,
}

impl Usage {
    pub(super) fn with_ports(mut self, listeners: &Listeners) -> Self {
        self.ports = listeners.ports_of(self.tree.iter().map(|p| p.pid));
        self
    }
}

/// What only grows.
#[derive(Debug, Clone, Copy)]
struct Counters {
    at: Instant,
    cpu_us: u64,
    read_bytes: u64,
    written_bytes: u64,
}

/// The looks at one process.
#[derive(Debug)]
pub(super) struct Tracked {
    run: RunNo,
    roots: Roots,
    group: Option<PathBuf>,
    pub(super) held: Held,
    before: Option<Counters>,
    pages: Pages,
    looks: VecDeque<(i64, Point)>,
    /// When all of it was read last.
    looked_through: Option<Instant>,
    pub(super) latest: Option<Usage>,
}

impl Tracked {
    pub(super) fn new(target: &Target, run_dir: &Path) -> Self {
        let group = target.roots.main.and_then(|main| cgroup::of_run(run_dir, main));
        Self {
            run: target.run,
            roots: target.roots,
            held: group.as_deref().map(held).unwrap_or_default(),
            group,
            before: None,
            pages: Pages::default(),
            looks: VecDeque::new(),
            looked_through: None,
            latest: None,
        }
    }

    /// Goes on with another run; what was seen of the one before stays.
    pub(super) fn follow(&mut self, target: &Target, run_dir: impl FnOnce() -> PathBuf) {
        if self.run != target.run {
            let looks = std::mem::take(&mut self.looks);
            *self = Self { looks, ..Self::new(target, &run_dir()) };
        }
        self.roots = target.roots;
    }

    /// What the tree uses now, unless the last look was just before.
    pub(super) fn look(&mut self, fresh: Duration) -> Usage {
        if let (Some(usage), Some(before)) = (&self.latest, &self.before)
            && before.at.elapsed() < fresh
        {
            return usage.clone();
        }
        let group = self.group.as_deref().map(cgroup::usage).unwrap_or_default();
        if let Some(usage) = self.asleep(group) {
            return usage;
        }
        self.looked_through = Some(Instant::now());
        let tree = self.roots.tree();
        let now = self.count(&tree, group);
        let memory = group.memory_bytes.unwrap_or_else(|| self.pages.memory(&tree));
        let gauges = [memory, tree.iter().map(|p| p.threads).sum(), open_files(&tree)];
        let point = self.point(&tree, now, gauges);
        self.before = Some(now);
        if !tree.is_empty() {
            self.remember(point);
        }
        let usage = Usage {
            cpu_percent: point.cpu_max as f64 / 10.0,
            memory_bytes: memory,
            threads: gauges[1],
            open_files: gauges[2],
            ports: Vec::new(),
            tree,
        };
        self.latest = Some(usage.clone());
        usage
    }

    /// A tree that has used no CPU at all since the last look is as it was: its group tells that in one read.
    fn asleep(&mut self, group: GroupUsage) -> Option<Usage> {
        let (before, latest) = (self.before?, self.latest.as_ref()?);
        let is_due = self.looked_through?.elapsed() > LOOKED_THROUGH;
        if is_due || group.cpu_us? != before.cpu_us || latest.tree.is_empty() {
            return None;
        }
        let usage = Usage { cpu_percent: 0.0, ..latest.clone() };
        let now = Counters { at: Instant::now(), ..before };
        let point = self.point(&usage.tree, now, [usage.memory_bytes, usage.threads, usage.open_files]);
        self.before = Some(now);
        self.remember(point);
        self.latest = Some(usage.clone());
        Some(usage)
    }

    fn count(&self, tree: &[Process], group: GroupUsage) -> Counters {
        let at = Instant::now();
        // Who was orphaned in the tree and has ended was waited for by the shim.
        let by_descent = || {
            let reaped = proc::read(self.roots.shim).map_or(0, |shim| shim.reaped_ticks);
            let ticks = reaped + tree.iter().map(|p| p.cpu_ticks + p.reaped_ticks).sum::<u64>();
            ticks * 1_000_000 / proc::ticks_per_second()
        };
        let bytes = tree.iter().filter_map(|p| proc::storage_bytes(p.pid));
        let (read_bytes, written_bytes) = bytes.fold((0, 0), |(r, w), (read, wrote)| (r + read, w + wrote));
        Counters { at, cpu_us: group.cpu_us.unwrap_or_else(by_descent), read_bytes, written_bytes }
    }

    fn point(&self, tree: &[Process], now: Counters, gauges: [u64; 3]) -> Point {
        let age = age(tree);
        let (span, before) = match self.before {
            Some(before) => (now.at - before.at, Some(before)),
            None => (age, None),
        };
        let is_counted = before.is_some() || age < YOUNG;
        let since = |of: fn(&Counters) -> u64| of(&now).saturating_sub(before.as_ref().map_or(0, of));
        let span_ms = u64::try_from(span.as_millis()).unwrap_or(u64::MAX).max(1);
        let permille = since(|c| c.cpu_us) / span_ms;
        let [memory, threads, open_files] = gauges.map(Gauge::of);
        Point {
            looks: 1,
            span_ms: if is_counted { span_ms } else { 1 },
            cpu_us: if is_counted { since(|c| c.cpu_us) } else { permille },
            cpu_min: permille,
            cpu_max: permille,
            memory,
            threads,
            open_files,
            read_bytes: if is_counted { since(|c| c.read_bytes) } else { 0 },
            written_bytes: if is_counted { since(|c| c.written_bytes) } else { 0 },
        }
    }

    /// A look counts for the middle of the time that it is of.
    fn remember(&mut self, point: Point) {
        let half = i64::try_from(point.span_ms.min(10_000) / 2).unwrap_or(0);
        let second = (crate::daemon::now().0 / 1_000_000 - half).div_euclid(1000);
        let oldest = Resolution::TenSeconds.start_of(second) - RECENT;
        while self.looks.front().is_some_and(|(at, _)| *at < oldest) {
            self.looks.pop_front();
        }
        self.looks.push_back((second, point));
    }

    pub(super) fn recent(&self) -> Series {
        hostler_model::usage::roll_up(self.looks.iter().copied(), 1)
    }
}

fn open_files(tree: &[Process]) -> u64 {
    tree.iter().filter_map(|p| proc::open_files(p.pid)).sum()
}

fn age(tree: &[Process]) -> Duration {
    let now = proc::uptime_ticks();
    let start = tree.iter().map(|p| p.start_ticks).min().unwrap_or(now);
    Duration::from_millis(now.saturating_sub(start) * 1000 / proc::ticks_per_second())
}

/// Memory by pages (PSS), where what processes share counts once. Between two walks over the pages the resident
/// memory, which counts it for each, is scaled by what the last walk said.
#[derive(Debug, Default)]
struct Pages {
    scale: Option<f64>,
    pause: Option<(Instant, Duration)>,
}

impl Pages {
    fn memory(&mut self, tree: &[Process]) -> u64 {
        let resident: u64 = tree.iter().map(|p| p.rss_bytes).sum();
        if self.pause.is_none_or(|(since, pause)| since.elapsed() >= pause) {
            let begun = Instant::now();
            let walked: Option<u64> = tree.iter().map(|p| proc::proportional_memory(p.pid)).sum();
            self.pause = Some((Instant::now(), begun.elapsed() * PAGES_PAUSE));
            self.scale = walked.filter(|_| resident > 0).map(|bytes| bytes as f64 / resident as f64);
            if let Some(bytes) = walked {
                return bytes;
            }
        }
        self.scale.map_or(resident, |scale| (resident as f64 * scale) as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hostler_model::ProcessId;

    fn of_this_process() -> Tracked {
        let me = std::process::id() as i32;
        // A shim that is nobody: the tree is this process alone, its threads and what they started.
        let roots = Roots { shim: i32::MAX, main: Some(me) };
        Tracked::new(&Target { id: ProcessId(1), run: RunNo(1), roots }, Path::new("/"))
    }

    #[test]
    fn looks_tell_what_a_tree_uses_and_add_up() {
        let mut tracked = of_this_process();
        let first = tracked.look(Duration::ZERO);
        assert!(first.memory_bytes > 0 && first.threads > 0 && first.open_files > 0, "{first:?}");
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_millis(60) {
            std::hint::black_box(tracked.roots.tree());
        }
        let busy = tracked.look(Duration::ZERO);
        assert!(busy.cpu_percent > 0.0, "{busy:?}");
        assert_eq!(tracked.look(Duration::from_secs(60)), busy, "an answer stands for a while");
        let looks: u32 = tracked.recent().values().map(|p| p.looks).sum();
        assert_eq!(looks, 2);
    }

    #[test]
    fn shared_memory_is_not_counted_twice_where_pages_may_be_seen() {
        let tree = of_this_process().roots.tree();
        let mut pages = Pages::default();
        let walked = pages.memory(&tree);
        pages.pause = Some((Instant::now(), Duration::from_secs(3600)));
        let scaled = pages.memory(&tree);
        assert!(walked > 0 && scaled.abs_diff(walked) <= walked / 100, "{walked} {scaled}");
    }
}
