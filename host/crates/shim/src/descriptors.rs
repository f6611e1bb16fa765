//! The descriptors by which a process is held: whoever has them keeps it from ever seeing a broken pipe, learns of its
//! end, and can hand them on.

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Descriptor {
    /// The pidfd of the main process.
    Main,
    /// The read end of its stdout.
    Stdout,
    /// The read end of its stderr.
    Stderr,
    /// The write end of its stdin.
    Stdin,
    /// The master of its terminal, in place of the three.
    Terminal,
}

/// Which descriptors come with a message, always in the order of [`Descriptor`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Descriptors(u8);

const ALL: [Descriptor; 5] =
    [Descriptor::Main, Descriptor::Stdout, Descriptor::Stderr, Descriptor::Stdin, Descriptor::Terminal];

impl Descriptors {
    /// From the bits of a message; those that are not known are left out.
    #[must_use]
    pub fn from_bits(bits: i64) -> Self {
        Self((bits & ((1 << ALL.len()) - 1)) as u8)
    }

    /// As the bits of a message.
    #[must_use]
    pub fn bits(self) -> i64 {
        i64::from(self.0)
    }

    /// What a shim of the first version sends, which tells only whether a pidfd is among them.
    #[must_use]
    pub fn by_count(count: usize, has_main: bool) -> Self {
        let streams: &[Descriptor] = match count - usize::from(has_main && count > 0) {
            1 => &[Descriptor::Terminal],
            2 => &[Descriptor::Stdout, Descriptor::Stderr],
            3 => &[Descriptor::Stdout, Descriptor::Stderr, Descriptor::Stdin],
            _ => &[],
        };
        has_main.then_some(Descriptor::Main).iter().chain(streams).copied().collect()
    }

    /// Each, in order.
    pub fn iter(self) -> impl Iterator<Item = Descriptor> {
        ALL.into_iter().filter(move |d| self.0 & (1 << *d as u8) != 0)
    }

    /// How many.
    #[must_use]
    pub fn count(self) -> usize {
        self.0.count_ones() as usize
    }
}

impl FromIterator<Descriptor> for Descriptors {
    fn from_iter<I: IntoIterator<Item = Descriptor>>(all: I) -> Self {
        Self(all.into_iter().fold(0, |bits, d| bits | 1 << d as u8))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_version_is_understood() {
        let by = |count, has_main| Descriptors::by_count(count, has_main).iter().collect::<Vec<_>>();
        assert_eq!(by(4, true), &ALL[..4]);
        assert_eq!(by(2, true), [Descriptor::Main, Descriptor::Terminal]);
        assert_eq!(by(2, false), [Descriptor::Stdout, Descriptor::Stderr]);
        assert_eq!(by(0, false), []);
    }

    #[test]
    fn bits_come_back() {
        for bits in 0..32 {
            let set = Descriptors::from_bits(bits);
            assert_eq!((set.bits(), set.iter().collect::<Descriptors>()), (bits, set));
        }
        assert_eq!(Descriptors::from_bits(-1).count(), 5);
    }
}
