//! `hostler import`

use std::path::{Path, PathBuf};

use clap::Args as ClapArgs;

use crate::cli::exit::{Failure, Outcome};
use crate::cli::render;

/// Files that are looked for, the most telling first.
const KNOWN: [&str; 5] =
    ["Procfile", "ecosystem.config.json", "supervisord.conf", "Procfile.dev", "package.json"];

#[derive(ClapArgs)]
pub(in crate::cli) struct Args {
    /// A Procfile, package.json, pm2's ecosystem in JSON or supervisord.conf (default: the first that is here)
    file: Option<PathBuf>,
    /// Print it in place of writing hostler.toml
    #[arg(long)]
    print: bool,
}

pub(in crate::cli) fn run(args: Args) -> Outcome {
    let here = || KNOWN.iter().map(PathBuf::from).find(|file| file.is_file());
    let file = args.file.or_else(here).ok_or_else(|| Failure {
        message: format!("none of {} is here; name a file", KNOWN.join(", ")),
        code: 3,
    })?;
    let wrong = |why: String| Failure { message: format!("{}: {why}", file.display()), code: 2 };
    let text = std::fs::read_to_string(&file).map_err(|e| wrong(e.to_string()))?;
    let name = file.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let imported = hostler_config::import(&name, &text).map_err(|e| wrong(e.to_string()))?;
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
    std::fs::write(&target, imported.to_toml())
        .map_err(|e| Failure::failed(format!("{}: {e}", target.display())))?;
    println!(
        "wrote {} with {} processes; `hostler trust` and `hostler up` start them",
        target.display(),
        imported.len()
    );
    imported.left_out.iter().for_each(|line| render::note(&format!("not carried over: {line}")));
    Ok(())
}
