//! The table of field names of one batch: each name once, found without allocation.

/// Names and their numbers.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    names: Vec<String>,
    /// Open addressing: number of a name plus one, 0 when empty. Its length is a power of two.
    slots: Vec<u16>,
    /// The number that comes next when this line has the same fields as the one before.
    expected: usize,
}

/// One number less than there are: a slot holds it plus one.
const MOST: usize = u16::MAX as usize - 1;

impl Keys {
    /// The number of a name; `None` when the table is full.
    pub(crate) fn number(&mut self, name: &[u8]) -> Option<u16> {
        if self.names.get(self.expected).is_none_or(|expected| expected.as_bytes() != name) {
            self.expected = self.find_or_add(name)?;
        }
        let number = self.expected;
        self.expected += 1;
        Some(number as u16)
    }

    /// The names by their numbers.
    pub(crate) fn into_names(self) -> Vec<String> {
        self.names
    }

    /// Forgets which name comes next, at the beginning of a line.
    pub(crate) fn rewind(&mut self) {
        self.expected = 0;
    }

    fn find_or_add(&mut self, name: &[u8]) -> Option<usize> {
        let name = &*String::from_utf8_lossy(name);
        if (self.names.len() + 1) * 2 > self.slots.len() {
            self.grow();
        }
        let slot = self.slot(name);
        match self.slots[slot] {
            0 if self.names.len() >= MOST => None,
            0 => {
                self.names.push(name.to_owned());
                self.slots[slot] = self.names.len() as u16;
                Some(self.names.len() - 1)
            }
            number => Some(number as usize - 1),
        }
    }

    /// The slot of a name, or the empty one where it belongs.
    fn slot(&self, name: &str) -> usize {
        let mask = self.slots.len() - 1;
        let mut at = hash(name) & mask;
        while self.slots[at] != 0 && self.names[self.slots[at] as usize - 1] != name {
            at = (at + 1) & mask;
        }
        at
    }

    fn grow(&mut self) {
        self.slots = vec![0; (self.slots.len() * 2).max(32)];
        for i in 0..self.names.len() {
            let slot = self.slot(&self.names[i]);
            self.slots[slot] = i as u16 + 1;
        }
    }
}

/// FNV-1a.
fn hash(name: &str) -> usize {
    let hash = name.bytes().fold(0x811c_9dc5_u32, |h, b| (h ^ u32::from(b)).wrapping_mul(0x0100_0193));
    hash as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_has_one_number_in_any_order() {
        let mut keys = Keys::default();
        let names: Vec<String> = (0..1000).map(|i| format!("key{i}")).collect();
        for name in &names {
            keys.number(name.as_bytes());
        }
        for (i, name) in names.iter().enumerate().rev() {
            assert_eq!(keys.number(name.as_bytes()), Some(i as u16));
        }
        assert_eq!(keys.into_names(), names);
    }

    #[test]
    fn a_full_table_takes_no_more() {
        let mut keys = Keys::default();
        for i in 0..MOST {
            assert_eq!(keys.number(i.to_string().as_bytes()), Some(i as u16));
        }
        assert_eq!(keys.number(b"more"), None);
        assert_eq!(keys.number(b"7"), Some(7));
    }
}
