//! The token that a client over HTTP shows: who can read the file is this user.

use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

/// Bytes of chance in a new one.
const BYTES: usize = 32;
/// A shorter one could be guessed.
const SHORTEST: usize = 16;

/// The token. Not shown, not even for debugging.
pub(super) struct Token(String);

impl Token {
    /// Reads a file, or makes it for this user only.
    ///
    /// # Errors
    /// When it cannot be read or made, when others can read it, or when it holds none.
    pub(super) fn load(path: &Path) -> Result<Self, String> {
        match std::fs::File::options().write(true).create_new(true).mode(0o600).open(path) {
            Ok(mut file) => {
                let token = random().map_err(|e| e.to_string())?;
                writeln!(file, "{token}").map_err(|e| e.to_string())?;
                Ok(Self(token))
            }
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Self::read(path),
            Err(error) => Err(error.to_string()),
        }
    }

    fn read(path: &Path) -> Result<Self, String> {
        let mut file = std::fs::File::open(path).map_err(|e| e.to_string())?;
        let mode = file.metadata().map_err(|e| e.to_string())?.mode();
        if mode & 0o077 != 0 {
            return Err(format!(
                "others can read it (mode {:o}); run `chmod 600` on it, or remove it",
                mode & 0o777
            ));
        }
        let mut text = String::new();
        file.read_to_string(&mut text).map_err(|e| e.to_string())?;
        let token = text.trim();
        if token.len() < SHORTEST {
            return Err(format!(
                "it holds no token of at least {SHORTEST} characters; remove it, and one is made"
            ));
        }
        Ok(Self(token.to_owned()))
    }

    /// Whether it is this one. Takes as long whatever is given, but for its length.
    pub(super) fn is(&self, given: &str) -> bool {
        let (ours, given) = (self.0.as_bytes(), given.as_bytes());
        let differing = ours.iter().zip(given).fold(0, |found, (a, b)| found | (a ^ b));
        ours.len() == given.len() && differing == 0
    }
}

fn random() -> std::io::Result<String> {
    let mut bytes = [0; BYTES];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_made_once_and_for_this_user() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        let made = Token::load(&path).ok().unwrap();
        assert_eq!(made.0.len(), 2 * BYTES);
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        let read = Token::load(&path).ok().unwrap();
        assert!(read.is(&made.0) && !read.is(&made.0[1..]) && !read.is(""));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(Token::load(&path).err().unwrap().contains("chmod 600"));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        std::fs::write(&path, "short\n").unwrap();
        assert!(Token::load(&path).err().unwrap().contains("16"));
    }
}
