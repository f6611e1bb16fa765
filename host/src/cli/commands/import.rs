//! `hostler import`

use std::path::{Path, PathBuf};

use clap::Args as ClapArgs;
use hostler_config::Place;

use crate::cli::exit::{Failure, Outcome};
use crate::cli::render;

/// What the first line of the file calls its schema.
const SCHEMA: &str = "hostler.schema.json";

#[derive(ClapArgs)]
pub(in crate::cli) struct Args {
    /// Procfile, package.json, ecosystem.config.json of pm2, supervisord.conf, or YAML of process-compose or docker
    /// compose (default: the first that is here)
    file: Option<PathBuf>,
    /// Print it in place of writing hostler.toml
    #[arg(long)]
    print: bool,
}

pub(in crate::cli) fn run(args: Args) -> Outcome {
    let here = || hostler_config::IMPORTABLE.iter().map(PathBuf::from).find(|file| file.is_file());
    let file = args.file.or_else(here).ok_or_else(|| Failure {
        message: format!("none of {} is here; name a file", hostler_config::IMPORTABLE.join(", ")),
        code: 3,
    })?;
    let wrong = |why: String| Failure { message: format!("{}: {why}", file.display()), code: 2 };
    let text = std::fs::read_to_string(&file).map_err(|e| wrong(e.to_string()))?;
    let name = file.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let has_env = file.with_file_name(".env").is_file();
    let directory = directory(&file);
    let place = Place { directory: &directory, has_env };
    let imported = hostler_config::import(&name, &text, place).map_err(|e| wrong(e.to_string()))?;
    if args.print {
        print!("{}", imported.to_toml());
        return Ok(());
    }
    let target = file.parent().unwrap_or(Path::new("")).join(hostler_config::FILE_NAME);
    if target.exists() {
        let message = format!(
            "{} is there already and is left as it is; --print shows what it would be",
            target.display()
        );
        return Err(Failure::failed(message));
    }
    imported.notes.iter().for_each(|note| render::note(&format!("{}, {note}", file.display())));
    if imported.is_empty() {
        return Err(Failure::failed("nothing of it can be carried over, so no file was written"));
    }
    std::fs::write(&target, imported.to_toml())
        .map_err(|e| Failure::failed(format!("{}: {e}", target.display())))?;
    let schema = write_schema(&target.with_file_name(SCHEMA))?;
    let what = if imported.len() == 1 { "process" } else { "processes" };
    println!(
        "wrote {} with {} {what}{schema}; `hostler trust` and `hostler up` start them",
        target.display(),
        imported.len()
    );
    Ok(())
}

/// The name of the directory of a file.
fn directory(file: &Path) -> String {
    let file = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
    file.parent()
        .and_then(Path::file_name)
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default()
}

/// Writes the schema to which the first line of the file leads editors, unless there is one; what to say of it.
fn write_schema(path: &Path) -> Result<String, Failure> {
    if path.exists() {
        return Ok(String::new());
    }
    let failed = |e: std::io::Error| Failure::failed(format!("{}: {e}", path.display()));
    std::fs::write(path, format!("{:#}\n", hostler_config::schema())).map_err(failed)?;
    Ok(format!(", and {}, by which editors complete and check it", path.display()))
}
