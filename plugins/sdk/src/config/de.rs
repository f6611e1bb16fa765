//! From the tree into typed values, for `serde`.

use super::value::Value;
use serde::de::{
    self, Deserializer, Error, Expected, IntoDeserializer, MapAccess, SeqAccess, Unexpected, VariantAccess,
    Visitor, value::StrDeserializer,
};
use std::fmt::{self, Display};

/// Why a value is not taken, and where it stands.
#[derive(Debug)]
pub(super) struct Refusal {
    /// Keys and numbers, the innermost first.
    path: Vec<String>,
    why: String,
}

impl Refusal {
    pub(super) fn into_text(mut self) -> String {
        self.path.reverse();
        match self.path.is_empty() {
            true => self.why,
            false => format!("{}: {}", self.path.join("."), self.why),
        }
    }

    fn inside(mut self, key: &str) -> Self {
        self.path.push(key.to_owned());
        self
    }
}

impl Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}

impl std::error::Error for Refusal {}

impl Error for Refusal {
    fn custom<T: Display>(why: T) -> Self {
        Self { path: Vec::new(), why: why.to_string() }
    }

    // The default would show the value, for which a component would need all that prints floating-point numbers.
    fn invalid_type(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::custom(format_args!("expected {expected}"))
    }

    fn invalid_value(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::custom(format_args!("expected {expected}"))
    }
}

impl Value {
    fn refuse<T>(&self, visitor: &dyn Expected) -> Result<T, Refusal> {
        Err(Refusal::custom(format_args!("{} is not {visitor}", self.shown())))
    }

    fn number<'de, T: std::str::FromStr, V: Visitor<'de>>(
        &self,
        visitor: V,
        visit: impl FnOnce(V, T) -> Result<V::Value, Refusal>,
    ) -> Result<V::Value, Refusal> {
        match self {
            Self::Number(text) => match text.parse() {
                Ok(number) => visit(visitor, number),
                Err(_) => self.refuse(&visitor),
            },
            _ => self.refuse(&visitor),
        }
    }
}

macro_rules! integers {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
            match self {
                Value::Number(text) if text.starts_with('-') => self.number(visitor, V::visit_i64),
                _ => self.number(visitor, V::visit_u64),
            }
        }
    )*};
}

macro_rules! texts {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
            match self {
                Value::Text(text) => visitor.visit_borrowed_str(text),
                _ => self.refuse(&visitor),
            }
        }
    )*};
}

impl<'de> Deserializer<'de> for &'de Value {
    type Error = Refusal;

    integers! {
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64
    }

    texts! { deserialize_char deserialize_str deserialize_string deserialize_bytes deserialize_byte_buf deserialize_identifier }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        match self {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::Number(text) if text.contains(['.', 'e', 'E']) => self.deserialize_f64(visitor),
            Value::Number(_) => self.deserialize_i64(visitor),
            Value::Text(text) => visitor.visit_borrowed_str(text),
            Value::List(_) => self.deserialize_seq(visitor),
            Value::Object(_) => self.deserialize_map(visitor),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        match self {
            Value::Bool(value) => visitor.visit_bool(*value),
            _ => self.refuse(&visitor),
        }
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        self.deserialize_f64(visitor)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        self.number(visitor, V::visit_f64)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        match self {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        match self {
            Value::Null => visitor.visit_unit(),
            _ => self.refuse(&visitor),
        }
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        match self {
            Value::List(list) => visitor.visit_seq(List { list, next: 0 }),
            _ => self.refuse(&visitor),
        }
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Refusal> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        match self {
            Value::Object(members) => visitor.visit_map(Object { members, next: 0 }),
            _ => self.refuse(&visitor),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        self.deserialize_map(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        match self {
            Value::Text(name) => visitor.visit_enum(Case { name, value: &Value::Null }),
            Value::Object(members) if members.len() == 1 => {
                visitor.visit_enum(Case { name: &members[0].0, value: &members[0].1 })
            }
            _ => self.refuse(&visitor),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        visitor.visit_unit()
    }
}

struct List<'de> {
    list: &'de [Value],
    next: usize,
}

impl<'de> SeqAccess<'de> for List<'de> {
    type Error = Refusal;

    fn next_element_seed<T: de::DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Refusal> {
        let Some(value) = self.list.get(self.next) else { return Ok(None) };
        self.next += 1;
        seed.deserialize(value).map(Some).map_err(|refusal| refusal.inside(&(self.next - 1).to_string()))
    }
}

struct Object<'de> {
    members: &'de [(String, Value)],
    next: usize,
}

impl<'de> MapAccess<'de> for Object<'de> {
    type Error = Refusal;

    fn next_key_seed<K: de::DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Refusal> {
        let Some((key, _)) = self.members.get(self.next) else { return Ok(None) };
        seed.deserialize(name(key)).map(Some)
    }

    fn next_value_seed<V: de::DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Refusal> {
        let (key, value) = &self.members[self.next];
        self.next += 1;
        seed.deserialize(value).map_err(|refusal| refusal.inside(key))
    }
}

struct Case<'de> {
    name: &'de str,
    value: &'de Value,
}

impl<'de> de::EnumAccess<'de> for Case<'de> {
    type Error = Refusal;
    type Variant = &'de Value;

    fn variant_seed<V: de::DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, &'de Value), Refusal> {
        Ok((seed.deserialize(name(self.name))?, self.value))
    }
}

impl<'de> VariantAccess<'de> for &'de Value {
    type Error = Refusal;

    fn unit_variant(self) -> Result<(), Refusal> {
        serde::Deserialize::deserialize(self)
    }

    fn newtype_variant_seed<T: de::DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Refusal> {
        seed.deserialize(self)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Refusal> {
        self.deserialize_seq(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        self.deserialize_map(visitor)
    }
}

fn name(text: &str) -> StrDeserializer<'_, Refusal> {
    text.into_deserializer()
}
