//! `schedule`: a process that is started at its times.

use super::super::Imported;
use super::Process;
use crate::draft::{Cron, Draft};
use crate::units::duration_ms;

/// Fields that are carried over; one run at a time is the only way here.
const KNOWN: [&str; 5] = ["cron", "interval", "timezone", "run_on_start", "max_concurrent"];

impl Process<'_> {
    pub(super) fn schedule(&self, draft: &mut Draft, imported: &mut Imported) {
        let Some(schedule) = self.node().get("schedule") else { return };
        let (name, line) = (self.name(), schedule.line);
        imported.unknown(schedule.entries().iter().map(|e| (e.line, e.key.as_str())), &KNOWN, name);
        draft.schedule = match (schedule.text_of("cron"), schedule.text_of("interval")) {
            (Some(cron), _) => imported.cron(line, name, cron, false),
            (None, Some(every)) => interval(every, name, line, imported),
            (None, None) => None,
        };
        if let Some(zone) = schedule.text_of("timezone") {
            let text = format!("the times of `{name}` are those of the clock of this machine, not of {zone}");
            imported.note(line, text);
        }
        if schedule.is_true("run_on_start") {
            let text =
                format!("`{name}` is started at its times only: `hostler start {name}` runs it at once");
            imported.note(line, text);
        }
        if schedule.number_of("max_concurrent").is_some_and(|n| n > 1) {
            imported.note(line, format!("`{name}` runs once at a time: a start while it runs is left out"));
        }
    }
}

/// An interval as times of the clock, where it goes into a minute, an hour or a day without rest.
fn interval(every: &str, name: &str, line: usize, imported: &mut Imported) -> Option<Cron> {
    let Some(cron) = duration_ms(every).and_then(cron) else {
        let text = format!(
            "`interval: {every}` of `{name}` is not carried over: a schedule is at times of the clock, such as \"*/5 * * * *\""
        );
        imported.note(line, text);
        return None;
    };
    imported.note(line, format!("every {every} of `{name}` is `{cron}`: at times of the clock"));
    imported.cron(line, name, &cron, false)
}

fn cron(ms: u64) -> Option<String> {
    let (seconds, rest) = (ms / 1000, ms % 1000);
    if rest != 0 || seconds == 0 {
        return None;
    }
    match seconds {
        s if s < 60 && 60 % s == 0 => Some(format!("*/{s} * * * * *")),
        s if s % 60 == 0 && s < 3600 && 60 % (s / 60) == 0 => Some(format!("*/{} * * * *", s / 60)),
        s if s % 3600 == 0 && s < 86_400 && 24 % (s / 3600) == 0 => Some(format!("0 */{} * * *", s / 3600)),
        86_400 => Some("0 0 * * *".to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_is_at_times_of_the_clock() {
        for (ms, wanted) in [
            (10_000, Some("*/10 * * * * *")),
            (60_000, Some("*/1 * * * *")),
            (1_800_000, Some("*/30 * * * *")),
            (7_200_000, Some("0 */2 * * *")),
            (86_400_000, Some("0 0 * * *")),
            (7_000, None),
            (90_000, None),
            (500, None),
            (0, None),
            (172_800_000, None),
        ] {
            assert_eq!(cron(ms).as_deref(), wanted, "{ms}");
        }
    }
}
