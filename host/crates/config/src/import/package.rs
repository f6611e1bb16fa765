//! The scripts of `package.json`.

use serde_json::Value;

use super::{Imported, NotImported};
use crate::draft::{Draft, literal};

/// Scripts that run until they are stopped; the others are jobs that nobody wants at each start.
const SERVICES: [&str; 6] = ["dev", "start", "serve", "watch", "worker", "server"];

pub(super) fn read(text: &str) -> Result<Imported, NotImported> {
    let value: Value = serde_json::from_str(text).map_err(|e| NotImported(format!("it is not JSON: {e}")))?;
    let scripts =
        value["scripts"].as_object().ok_or_else(|| NotImported("it has no `scripts`".to_owned()))?;
    let said = value["packageManager"].as_str().unwrap_or_default();
    let manager =
        ["pnpm", "yarn", "bun"].into_iter().find(|manager| said.starts_with(manager)).unwrap_or("npm");
    let mut imported = Imported::default();
    for name in scripts.keys() {
        let kind = name.split(':').next().unwrap_or_default();
        if !SERVICES.contains(&kind) {
            imported.left_out(
                None,
                name,
                "the script does not look like a service; declare it when it is one",
            );
        } else if name == "start" && scripts.contains_key("dev") {
            let why = "`dev` is there, and both would run the same service; this one is for production";
            imported.left_out(None, name, why);
        } else {
            let command = format!("{manager} run {}", literal(name));
            imported.file.processes.push(Draft { name: name.clone(), command, ..Draft::default() });
        }
    }
    Ok(imported)
}
