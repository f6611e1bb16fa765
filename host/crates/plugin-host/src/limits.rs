//! How much of the machine a plugin may use.

use std::time::Duration;

use wasmtime::ResourceLimiter;

/// One mebibyte.
pub(crate) const MIB: usize = 1024 * 1024;

/// The limits of each instance of a plugin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Linear memory, bytes. Not more than [`EngineOptions::memory_bytes`](crate::EngineOptions::memory_bytes).
    pub memory_bytes: usize,
    /// Elements of all tables together.
    pub table_elements: usize,
    /// Time that one call may compute. Waiting does not count. Measured in ticks of 10 ms.
    pub cpu: Duration,
    /// Time that one call may last, waiting included. A check has its own timeout in place of this.
    pub call: Duration,
    /// Time that `describe` and `configure` may last each.
    pub start: Duration,
    /// What one answer, and one call of the plugin to the host, may carry, bytes as the host keeps them.
    pub transfer_bytes: usize,
    /// After this many calls, a new instance takes over.
    pub max_calls: u64,
    /// Above this much memory after a call, bytes, a new instance takes over: linear memory never shrinks.
    pub recycle_above_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory_bytes: 64 * MIB,
            table_elements: 20_000,
            cpu: Duration::from_secs(1),
            call: Duration::from_secs(5),
            start: Duration::from_secs(5),
            transfer_bytes: 4 * MIB,
            max_calls: 100_000,
            recycle_above_bytes: 48 * MIB,
        }
    }
}

/// Keeps the memory and the tables of one Store within their limits, and remembers what it saw.
#[derive(Debug)]
pub(crate) struct Limiter {
    memory_limit: usize,
    table_limit: usize,
    /// Linear memory of all instances in the Store, bytes. It never shrinks, so it is the peak as well.
    pub(crate) memory: usize,
    tables: usize,
    /// What was asked for when the limit said no.
    pub(crate) refused: Option<Refused>,
}

/// Something that did not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// Memory, bytes in all.
    Memory(usize),
    /// Table elements in all.
    Table(usize),
}

/// Core instances, memories and tables of one Store. A component made by the usual tools has 2 to 6 of each; the
/// Python and JavaScript ones have some 20.
const MAX_PARTS: usize = 64;

impl Limiter {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            memory_limit: limits.memory_bytes,
            table_limit: limits.table_elements,
            memory: 0,
            tables: 0,
            refused: None,
        }
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let total = self.memory.saturating_add(desired.saturating_sub(current));
        if total > self.memory_limit {
            self.refused = Some(Refused::Memory(total));
            return Ok(false);
        }
        self.memory = total;
        Ok(true)
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let total = self.tables.saturating_add(desired.saturating_sub(current));
        if total > self.table_limit {
            self.refused = Some(Refused::Table(total));
            return Ok(false);
        }
        self.tables = total;
        Ok(true)
    }

    fn instances(&self) -> usize {
        MAX_PARTS
    }

    fn tables(&self) -> usize {
        MAX_PARTS
    }

    fn memories(&self) -> usize {
        MAX_PARTS
    }
}
