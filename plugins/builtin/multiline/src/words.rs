//! Words that are looked for in every line: what a search for one needs is made once, not once a line.

/// Where the first of a word is in a text.
macro_rules! find {
    ($text:expr, $word:literal) => {{
        static FINDER: std::sync::LazyLock<memchr::memmem::Finder<'static>> =
            std::sync::LazyLock::new(|| memchr::memmem::Finder::new($word));
        FINDER.find($text)
    }};
}

/// Where the last of a word is in a text.
macro_rules! rfind {
    ($text:expr, $word:literal) => {{
        static FINDER: std::sync::LazyLock<memchr::memmem::FinderRev<'static>> =
            std::sync::LazyLock::new(|| memchr::memmem::FinderRev::new($word));
        FINDER.rfind($text)
    }};
}

/// Whether a text has one of these words.
macro_rules! has {
    ($text:expr, $($word:literal),+ $(,)?) => {
        $($crate::words::find!($text, $word).is_some())||+
    };
}

pub(crate) use {find, has, rfind};

/// Words with which a text may begin. Few texts have the first letter of one.
pub(crate) struct Beginnings {
    words: &'static [&'static [u8]],
    first: [bool; 256],
}

impl Beginnings {
    /// Of these words, none of which is empty.
    pub(crate) const fn of(words: &'static [&'static [u8]]) -> Self {
        let mut first = [false; 256];
        let mut at = 0;
        while at < words.len() {
            first[words[at][0] as usize] = true;
            at += 1;
        }
        Self { words, first }
    }

    /// Whether a text begins with one of them.
    pub(crate) fn begin(&self, text: &[u8]) -> bool {
        self.behind(text).next().is_some()
    }

    /// What stands behind those with which a text begins.
    pub(crate) fn behind<'t>(&self, text: &'t [u8]) -> impl Iterator<Item = &'t [u8]> {
        let words = match text.first() {
            Some(first) if self.first[usize::from(*first)] => self.words,
            _ => &[],
        };
        words.iter().filter_map(|word| text.strip_prefix(*word))
    }
}
