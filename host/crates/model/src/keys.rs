//! Keys of a terminal by their names, as the bytes that they send.

use crate::nearest::nearest;

/// A name that is none of a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "no key {name:?}; {hint}there are {}, f1 to f12, ctrl-X (a letter, @, [, \\, ], ^ or _), alt-X and single characters",
    named()
)]
pub struct UnknownKey {
    /// The name.
    pub name: String,
    hint: String,
}

/// What a terminal of the kind `xterm` sends.
const NAMED: [(&str, &[u8]); 18] = [
    ("enter", b"\r"),
    ("tab", b"\t"),
    ("escape", b"\x1b"),
    ("space", b" "),
    ("backspace", b"\x7f"),
    ("delete", b"\x1b[3~"),
    ("insert", b"\x1b[2~"),
    ("up", b"\x1b[A"),
    ("down", b"\x1b[B"),
    ("right", b"\x1b[C"),
    ("left", b"\x1b[D"),
    ("home", b"\x1b[H"),
    ("end", b"\x1b[F"),
    ("page-up", b"\x1b[5~"),
    ("page-down", b"\x1b[6~"),
    ("shift-tab", b"\x1b[Z"),
    ("return", b"\r"),
    ("esc", b"\x1b"),
];

const FUNCTION: [&[u8]; 12] = [
    b"\x1bOP",
    b"\x1bOQ",
    b"\x1bOR",
    b"\x1bOS",
    b"\x1b[15~",
    b"\x1b[17~",
    b"\x1b[18~",
    b"\x1b[19~",
    b"\x1b[20~",
    b"\x1b[21~",
    b"\x1b[23~",
    b"\x1b[24~",
];

fn named() -> String {
    NAMED.map(|(name, _)| name).join(", ")
}

/// The bytes of a key: `enter`, `ctrl-c`, `alt-x`, `f5`, or a single character. Case does not matter but for single
/// characters.
///
/// # Errors
/// When there is no such key; names those that there are.
pub fn bytes(name: &str) -> Result<Vec<u8>, UnknownKey> {
    let mut chars = name.chars();
    if let (Some(only), None) = (chars.next(), chars.next()) {
        return Ok(only.to_string().into_bytes());
    }
    let lower = name.to_ascii_lowercase();
    if let Some((_, bytes)) = NAMED.iter().find(|(known, _)| *known == lower) {
        return Ok(bytes.to_vec());
    }
    let function = lower.strip_prefix('f').and_then(|number| number.parse::<usize>().ok());
    if let Some(bytes) = function.and_then(|number| FUNCTION.get(number.checked_sub(1)?)) {
        return Ok(bytes.to_vec());
    }
    if let Some(control) = lower.strip_prefix("ctrl-").and_then(control) {
        return Ok(vec![control]);
    }
    if let Some(rest) = name.get(4..).filter(|rest| lower.starts_with("alt-") && !rest.is_empty())
        && let Ok(key) = bytes(rest)
    {
        return Ok([b"\x1b", &key[..]].concat());
    }
    let near = nearest(&lower, NAMED.iter().map(|(name, _)| *name));
    let hint = near.map(|near| format!("did you mean `{near}`? ")).unwrap_or_default();
    Err(UnknownKey { name: name.chars().take(40).collect(), hint })
}

/// The control character of a key.
fn control(key: &str) -> Option<u8> {
    match key.as_bytes() {
        b"space" => Some(0),
        [b @ (b'a'..=b'z' | b'@' | b'[' | b'\\' | b']' | b'^' | b'_')] => Some(b & 0x1f),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_the_bytes_of_a_terminal() {
        for (name, wanted) in [
            ("enter", &b"\r"[..]),
            ("Ctrl-C", b"\x03"),
            ("ctrl-@", b"\0"),
            ("ctrl-\\", b"\x1c"),
            ("alt-x", b"\x1bx"),
            ("alt-X", b"\x1bX"),
            ("f1", b"\x1bOP"),
            ("F12", b"\x1b[24~"),
            ("q", b"q"),
            ("\u{fc}", "\u{fc}".as_bytes()),
            ("page-up", b"\x1b[5~"),
        ] {
            assert_eq!(bytes(name).as_deref(), Ok(wanted), "{name}");
        }
        for (name, wanted) in
            [("entr", "did you mean `enter`"), ("f13", "f1 to f12"), ("ctrl-1", "ctrl-X"), ("", "")]
        {
            let message = bytes(name).unwrap_err().to_string();
            assert!(message.contains(wanted), "{name}: {message}");
        }
    }
}
