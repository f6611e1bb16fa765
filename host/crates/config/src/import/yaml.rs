//! YAML as a tree that knows its lines, so that what cannot be carried over is told with its place.

use std::fmt;

use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_saphyr::Spanned;

/// Most values that references may be replaced by in all; a file of a project has some dozens.
const MOST_REPLACED: usize = 20_000;

/// A value and the line on which it stands.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Node {
    pub(super) line: usize,
    kind: Kind,
}

#[derive(Debug, Clone, PartialEq, Default)]
enum Kind {
    #[default]
    Null,
    Scalar(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// A field of a map.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    /// The line of its name.
    pub(super) line: usize,
    pub(super) key: String,
    pub(super) value: Node,
}

/// Reads a document; references and `<<` are replaced by what they stand for.
///
/// # Errors
/// When it is no YAML, or its references would unfold without bound.
pub(super) fn parse(text: &str) -> Result<Node, String> {
    let options = serde_saphyr::options! {
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: MOST_REPLACED },
    };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| error.to_string())
}

impl Node {
    /// The field of this name.
    pub(super) fn get(&self, key: &str) -> Option<&Node> {
        self.entries().iter().find(|entry| entry.key == key).map(|entry| &entry.value)
    }

    /// The fields, when it is a map.
    pub(super) fn entries(&self) -> &[Entry] {
        match &self.kind {
            Kind::Map(entries) => entries,
            Kind::Null | Kind::Scalar(_) | Kind::List(_) => &[],
        }
    }

    /// The items of a list; of anything else but nothing, it alone.
    pub(super) fn items(&self) -> &[Node] {
        match &self.kind {
            Kind::List(items) => items,
            Kind::Scalar(_) | Kind::Map(_) => std::slice::from_ref(self),
            Kind::Null => &[],
        }
    }

    /// Whether it is a list.
    pub(super) fn is_list(&self) -> bool {
        matches!(self.kind, Kind::List(_))
    }

    /// The text of a scalar.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Scalar(text) => Some(text),
            Kind::Null | Kind::List(_) | Kind::Map(_) => None,
        }
    }

    /// The text of a field.
    pub(super) fn text_of(&self, key: &str) -> Option<&str> {
        self.get(key)?.text()
    }

    /// The number in a field.
    pub(super) fn number_of(&self, key: &str) -> Option<u64> {
        self.text_of(key)?.parse().ok()
    }

    /// Whether a field is true.
    pub(super) fn is_true(&self, key: &str) -> bool {
        self.text_of(key) == Some("true")
    }

    /// The texts of a list of scalars.
    pub(super) fn texts(&self) -> Vec<String> {
        self.items().iter().filter_map(Node::text).map(str::to_owned).collect()
    }

    /// Variables, as a map or as a list of `NAME=value`; none for a name alone.
    pub(super) fn variables(&self) -> Vec<(usize, String, Option<String>)> {
        let of_map =
            self.entries().iter().map(|e| (e.line, e.key.clone(), e.value.text().map(str::to_owned)));
        let items = if self.is_list() { self.items() } else { &[] };
        let of_list = items.iter().filter_map(|item| {
            let text = item.text()?;
            Some(match text.split_once('=') {
                Some((name, value)) => (item.line, name.to_owned(), Some(value.to_owned())),
                None => (item.line, text.to_owned(), None),
            })
        });
        of_map.chain(of_list).collect()
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Spanned { value, referenced, .. } = Spanned::<Kind>::deserialize(deserializer)?;
        Ok(Self { line: usize::try_from(referenced.line()).unwrap_or(0), kind: value })
    }
}

impl<'de> Deserialize<'de> for Kind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Any)
    }
}

struct Any;

impl<'de> Visitor<'de> for Any {
    type Value = Kind;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Kind, E> {
        Ok(Kind::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Kind, E> {
        Ok(Kind::Scalar(value.to_string()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Kind, E> {
        Ok(Kind::Scalar(value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Kind, E> {
        Ok(Kind::Scalar(value.to_string()))
    }

    fn visit_i128<E>(self, value: i128) -> Result<Kind, E> {
        Ok(Kind::Scalar(value.to_string()))
    }

    fn visit_u128<E>(self, value: u128) -> Result<Kind, E> {
        Ok(Kind::Scalar(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Kind, E> {
        Ok(Kind::Scalar(value.to_string()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Kind, E> {
        Ok(Kind::Scalar(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Kind, A::Error> {
        let mut all = Vec::new();
        while let Some(item) = items.next_element()? {
            all.push(item);
        }
        Ok(Kind::List(all))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Kind, A::Error> {
        let mut all = Vec::new();
        while let Some((key, value)) = fields.next_entry::<Spanned<String>, Node>()? {
            let line = usize::try_from(key.referenced.line()).unwrap_or(0);
            all.push(Entry { line, key: key.value, value });
        }
        Ok(Kind::Map(all))
    }
}
