//! The machine, and the daemon itself.

use std::time::{Duration, Instant};

use hostler_api::monitoring::{CpuStats, DiskStats, LoadStats, MemoryStats, Pressure, PressureStats, Stall};
use hostler_supervisor::proc;
use sysinfo::{DiskRefreshKind, Disks, MINIMUM_CPU_UPDATE_INTERVAL, System};

/// The machine as it was at the last looks.
pub(crate) struct Machine {
    /// None where sysinfo finds nothing to read.
    system: Option<System>,
    cpu_at: Instant,
    own: OwnLook,
}

/// What the daemon itself uses.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Own {
    pub(crate) cpu_percent: f64,
    pub(crate) memory_bytes: u64,
    pub(crate) threads: u64,
    pub(crate) open_files: u64,
}

struct OwnLook {
    at: Instant,
    ticks: u64,
    latest: Own,
}

impl Machine {
    pub(super) fn new() -> Self {
        let mut system = System::new().ok();
        system.iter_mut().for_each(System::refresh_cpu_usage);
        let own = OwnLook { at: Instant::now(), ticks: own_ticks(), latest: Own::default() };
        Self { system, cpu_at: Instant::now(), own }
    }

    /// A percentage is over the time since the look before, so there is one with each tick.
    pub(super) fn refresh(&mut self) {
        if self.cpu_at.elapsed() >= MINIMUM_CPU_UPDATE_INTERVAL {
            self.system.iter_mut().for_each(System::refresh_cpu_usage);
            self.cpu_at = Instant::now();
        }
    }

    pub(crate) fn cpu(&mut self) -> CpuStats {
        self.refresh();
        let Some(system) = &self.system else { return CpuStats::default() };
        let percent = f64::from(system.global_cpu_usage());
        CpuStats { percent: (percent * 10.0).round() / 10.0, cores: system.cpus().len() }
    }

    /// Memory and swap.
    pub(crate) fn memory(&mut self) -> (MemoryStats, MemoryStats) {
        let Some(system) = &mut self.system else { return Default::default() };
        system.refresh_memory();
        let memory = MemoryStats {
            total_bytes: system.total_memory(),
            used_bytes: system.used_memory(),
            available_bytes: system.available_memory(),
        };
        let swap = MemoryStats {
            total_bytes: system.total_swap(),
            used_bytes: system.used_swap(),
            available_bytes: system.free_swap(),
        };
        (memory, swap)
    }

    pub(crate) fn load() -> LoadStats {
        let load = System::load_average().ok();
        load.map_or_else(LoadStats::default, |l| LoadStats { one: l.one, five: l.five, fifteen: l.fifteen })
    }

    /// File systems with a size, each once.
    pub(crate) fn disks() -> Vec<DiskStats> {
        let disks = Disks::new_with_refreshed_list_specifics(DiskRefreshKind::nothing().with_storage());
        let mut found: Vec<(String, DiskStats)> = Vec::new();
        for disk in disks.iter().flatten().filter(|disk| disk.total_space() > 0) {
            let device = disk.name().to_string_lossy().into_owned();
            let stats = DiskStats {
                mount: disk.mount_point().display().to_string(),
                file_system: disk.file_system().to_string_lossy().into_owned(),
                total_bytes: disk.total_space(),
                available_bytes: disk.available_space(),
            };
            // Containers mount parts of one device in many places.
            match found.iter_mut().find(|(d, s)| *d == device && s.total_bytes == stats.total_bytes) {
                Some((_, known)) if known.mount.len() > stats.mount.len() => *known = stats,
                Some(_) => {}
                None => found.push((device, stats)),
            }
        }
        found.into_iter().map(|(_, stats)| stats).collect()
    }

    pub(crate) fn pressure() -> Pressure {
        let of =
            |resource: &str| pressure(&std::fs::read_to_string(format!("/proc/pressure/{resource}")).ok()?);
        Pressure { cpu: of("cpu"), memory: of("memory"), io: of("io") }
    }

    /// The daemon since the look before, or since its start.
    pub(crate) fn own(&mut self) -> Own {
        const FRESH: Duration = Duration::from_secs(1);
        let elapsed = self.own.at.elapsed();
        if elapsed < FRESH && self.own.latest.threads > 0 {
            return self.own.latest;
        }
        let me = std::process::id() as i32;
        let Some(process) = proc::read(me) else { return self.own.latest };
        let ticks = own_ticks();
        let seconds = (ticks.saturating_sub(self.own.ticks)) as f64 / proc::ticks_per_second() as f64;
        let percent = 100.0 * seconds / elapsed.as_secs_f64().max(0.01);
        let latest = Own {
            cpu_percent: (percent * 100.0).round() / 100.0,
            memory_bytes: proc::proportional_memory(me).unwrap_or(process.rss_bytes),
            threads: process.threads,
            open_files: proc::open_files(me).unwrap_or(0),
        };
        self.own = OwnLook { at: Instant::now(), ticks, latest };
        latest
    }
}

fn own_ticks() -> u64 {
    proc::read(std::process::id() as i32).map_or(0, |p| p.cpu_ticks)
}

/// `some avg10=0.00 avg60=0.00 avg300=0.00 total=0`, and a line `full` likewise.
fn pressure(text: &str) -> Option<PressureStats> {
    let stall = |kind: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(kind))?;
        let value = |name: &str| {
            let word = line.split_ascii_whitespace().find_map(|w| w.strip_prefix(name))?;
            word.parse::<f64>().ok()
        };
        Some(Stall { avg10: value("avg10=")?, avg60: value("avg60=")?, avg300: value("avg300=")? })
    };
    Some(PressureStats { some: stall("some ")?, full: stall("full ") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pressure_is_read_as_the_kernel_writes_it() {
        let text = "some avg10=1.50 avg60=0.25 avg300=0.00 total=77\nfull avg10=0.50 avg60=0.00 avg300=0.00 total=7\n";
        let read = pressure(text).unwrap();
        assert_eq!(read.some, Stall { avg10: 1.5, avg60: 0.25, avg300: 0.0 });
        assert_eq!(read.full.map(|full| full.avg10), Some(0.5));
        let cpu = pressure("some avg10=0.00 avg60=0.00 avg300=0.00 total=77\n").unwrap();
        assert_eq!(cpu.full, None);
        assert_eq!(pressure("something else"), None);
    }

    #[test]
    fn the_machine_is_seen() {
        let mut machine = Machine::new();
        let (memory, swap) = machine.memory();
        assert!(memory.total_bytes > 0 && memory.used_bytes <= memory.total_bytes, "{memory:?}");
        assert!(swap.used_bytes <= swap.total_bytes, "{swap:?}");
        assert!(machine.cpu().cores > 0);
        assert!(machine.own().threads > 0 && machine.own().memory_bytes > 0);
        let mounts: Vec<String> = Machine::disks().into_iter().map(|d| d.mount).collect();
        let mut once = mounts.clone();
        once.dedup();
        assert_eq!(mounts, once);
    }
}
