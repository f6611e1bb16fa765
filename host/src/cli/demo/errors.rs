//! Services that fail in several languages: what went wrong, where and how often; one is resolved and comes back.

use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::{Tour, check, list, text, title};
use crate::cli::exit::Outcome;

/// A service with a fault of its own.
struct Service {
    name: &'static str,
    interpreter: &'static str,
    file: &'static str,
    source: &'static str,
    /// The function of the fault.
    function: &'static str,
}

const SERVICES: [Service; 3] = [
    Service {
        name: "orders",
        interpreter: "python3",
        file: "orders.py",
        source: "def find_order(orders, id):\n    return orders[id]\n\ndef serve():\n    find_order({}, 'A-17')\n\nserve()\n",
        function: "find_order",
    },
    Service {
        name: "checkout",
        interpreter: "node",
        file: "checkout.js",
        source: "function total(cart) {\n  return cart.items.length;\n}\n\ntotal({ id: 17 });\n",
        function: "total",
    },
    Service {
        name: "stock",
        interpreter: "perl",
        file: "stock.pl",
        source: "use Carp qw(confess);\nsub take {\n  open(my $list, '<', 'stock.csv') or confess \"cannot open stock.csv: $!\";\n}\n\
                 sub serve { take(17) }\nserve();\n",
        function: "take",
    },
];

impl Service {
    /// Whether its interpreter is here.
    fn can_run(&self) -> bool {
        let mut version = Command::new(self.interpreter);
        version.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
        version.status().is_ok_and(|status| status.success())
    }

    fn start(&self) -> Value {
        json!({"name": self.name, "command": self.interpreter, "args": [self.file], "wait_for": "exited"})
    }

    /// The group of its fault, among those found.
    fn group<'a>(&self, found: &'a Value) -> Option<&'a Value> {
        list(found, "/errors").iter().find(|group| {
            let culprit = text(group, "/culprit");
            culprit.contains(self.file) && culprit.contains(self.function)
        })
    }
}

pub(super) fn play(tour: &mut Tour<'_>) -> Outcome {
    title("Services fail in several languages: what happened, where, and what to try?");
    let (here, missing): (Vec<_>, Vec<_>) = SERVICES.iter().partition(|service| service.can_run());
    for service in missing {
        tour.shows(&format!("{} is not here: {} is left out", service.interpreter, service.name));
    }
    let Some(first) = here.first() else { return Ok(()) };
    for service in &here {
        tour.stage.write(service.file, service.source)?;
        tour.agent.call("start_process", service.start())?;
    }
    let all_found = |found: &Value| here.iter().all(|service| service.group(found).is_some());
    let latest = tour.until("all faults are found", "get_latest_errors", json!({"limit": 10}), all_found)?;
    for group in here.iter().filter_map(|service| service.group(&latest)) {
        check(
            group["count"] == 1
                && text(group, "/category") != "unknown"
                && !text(group, "/suggestion").is_empty(),
            "a group has count, category and suggestion",
        )?;
        shows_group(tour, group);
    }

    title("One is resolved; it fails again: a regression");
    let id = first.group(&latest).map(|group| group["id"].clone()).unwrap_or_default();
    tour.call("mark_error_resolved", json!({"error_id": id, "resolution": "orders are loaded first"}))?;
    tour.call("start_process", first.start())?;
    let is_back =
        |found: &Value| first.group(found).is_some_and(|g| g["id"] == id && g["regression"] == true);
    let back = tour.until("the regression is seen", "get_latest_errors", json!({"limit": 1}), is_back)?;
    first.group(&back).into_iter().for_each(|group| shows_group(tour, group));
    Ok(())
}

fn shows_group(tour: &Tour<'_>, group: &Value) {
    let of = |pointer| text(group, pointer);
    let back = if group["regression"] == true { ", a regression" } else { "" };
    tour.shows(&format!(
        "{} [{}] {} in {}, seen {}x{back}",
        of("/id"),
        of("/category"),
        of("/title"),
        of("/culprit"),
        group["count"]
    ));
    tour.shows(&format!("    try: {}", of("/suggestion")));
}
