//! Which files of projects the user trusts: each by its path and the digest of its content, so that one that changed is
//! looked at again. Only the command line writes this, for a person.

use std::io;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use hostler_plugin_host::Digest;

use super::home::Home;

/// Whether the user trusts a file of this content.
pub(crate) fn is_trusted(home: &Home, file: &Path, content: &[u8]) -> bool {
    let line = line(file, content);
    std::fs::read_to_string(home.trusted()).is_ok_and(|known| known.lines().any(|l| l == line))
}

/// Trusts a file of this content, in place of what it had before. Answers the digest.
///
/// # Errors
/// When that cannot be written.
pub(crate) fn trust(home: &Home, file: &Path, content: &[u8]) -> io::Result<String> {
    home.create()?;
    let path = home.trusted();
    let known = match std::fs::read_to_string(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        read => read.unwrap_or_default(),
    };
    let of_this_file = format!("  {}", file.display());
    let mut lines: Vec<&str> = known.lines().filter(|l| !l.ends_with(&of_this_file)).collect();
    let line = line(file, content);
    lines.push(&line);
    let new = path.with_extension("new");
    let mut out =
        std::fs::OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&new)?;
    writeln!(out, "{}", lines.join("\n"))?;
    out.sync_all()?;
    std::fs::rename(&new, &path)?;
    Ok(Digest::of(content).to_string())
}

fn line(file: &Path, content: &[u8]) -> String {
    format!("{}  {}", Digest::of(content), file.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_trusted_until_it_changes() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::at(dir.path().join("home")).unwrap();
        let file = Path::new("/srv/shop/hostler.toml");
        assert!(!is_trusted(&home, file, b"a"));
        trust(&home, file, b"a").unwrap();
        trust(&home, Path::new("/srv/other/hostler.toml"), b"a").unwrap();
        assert!(is_trusted(&home, file, b"a"));
        assert!(!is_trusted(&home, file, b"b"), "it changed");
        trust(&home, file, b"b").unwrap();
        assert!(is_trusted(&home, file, b"b") && !is_trusted(&home, file, b"a"));
    }
}
