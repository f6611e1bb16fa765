//! The keys that detach: a sequence in what is typed, and nothing else is kept from the process.

use hostler_model::keys::{self, UnknownKey};

/// Those of other tools that attach.
pub(super) const DEFAULT: &str = "ctrl-p,ctrl-q";

/// Looks for the sequence. What may be its beginning is held back until the next key decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Detach {
    keys: Vec<u8>,
    /// How much of it was typed.
    typed: usize,
}

impl Detach {
    /// Reads `KEY,KEY…`; nothing for no sequence.
    ///
    /// # Errors
    /// When one is no key.
    pub(super) fn parse(text: &str) -> Result<Self, UnknownKey> {
        let names = text.split(',').filter(|name| !name.is_empty());
        let keys = names.map(keys::bytes).collect::<Result<Vec<_>, _>>()?.concat();
        Ok(Self { keys, typed: 0 })
    }

    /// What of these bytes is for the process, and whether the sequence is complete. What comes behind it is dropped.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> (Vec<u8>, bool) {
        let mut through = Vec::new();
        for byte in bytes {
            while self.typed > 0 && self.keys[self.typed] != *byte {
                self.give_back(&mut through);
            }
            if self.keys.get(self.typed) == Some(byte) {
                self.typed += 1;
            } else {
                through.push(*byte);
            }
            if !self.keys.is_empty() && self.typed == self.keys.len() {
                self.typed = 0;
                return (through, true);
            }
        }
        (through, false)
    }

    /// What was held back does not go on as the sequence: as much of it as can be no new beginning.
    fn give_back(&mut self, through: &mut Vec<u8>) {
        let held = &self.keys[..self.typed];
        let kept = (0..self.typed).rev().find(|kept| held.ends_with(&self.keys[..*kept])).unwrap_or(0);
        through.extend_from_slice(&held[..self.typed - kept]);
        self.typed = kept;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_sequence_detaches_and_its_beginning_does_not() {
        let mut detach = Detach::parse(DEFAULT).unwrap();
        assert_eq!(detach.feed(b"ls\r"), (b"ls\r".to_vec(), false));
        assert_eq!(detach.feed(b"a\x10"), (b"a".to_vec(), false), "held back");
        assert_eq!(detach.feed(b"b"), (b"\x10b".to_vec(), false));
        assert_eq!(detach.feed(b"\x10\x10"), (b"\x10".to_vec(), false));
        assert_eq!(detach.feed(b"\x11rest"), (Vec::new(), true));
        assert_eq!(Detach::parse("").unwrap().feed(b"\x10\x11"), (b"\x10\x11".to_vec(), false));
        assert!(Detach::parse("ctrl-p,ctlr-q").is_err());
    }

    proptest! {
        #[test]
        fn nothing_is_lost_or_changed_however_it_comes(
            keys in "[ab]{1,4}", text in "[abc]{0,40}", pieces in prop::collection::vec(1_usize..5, 0..20)
        ) {
            let names: Vec<String> = keys.chars().map(String::from).collect();
            let mut detach = Detach::parse(&names.join(",")).unwrap();
            let (mut through, mut rest, mut detached) = (Vec::new(), text.as_bytes(), false);
            for piece in pieces.into_iter().chain([text.len()]) {
                let (now, later) = rest.split_at(piece.min(rest.len()));
                let (more, done) = detach.feed(now);
                through.extend(more);
                rest = later;
                if done {
                    detached = true;
                    break;
                }
            }
            let through = String::from_utf8(through).unwrap();
            match text.find(&keys) {
                Some(at) => prop_assert!(detached && through == text[..at]),
                None => prop_assert!(!detached && text.starts_with(&through) && keys.starts_with(&text[through.len()..])),
            }
        }
    }
}
