//! How generated shapes are read and written: one trait per side, dynamic on purpose, so that a
//! shape costs two small functions and each protocol is written once.

use std::collections::BTreeMap;

use bytes::Bytes;
use kit::Millis;

use crate::schema::Service;

/// A map of a model.
pub type Map<T> = BTreeMap<String, T>;

/// Free-form JSON of a user, kept as text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Document(pub String);

/// A body that does not have the protocol's or the shape's form. The message is AWS's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(pub String);

/// A generated structure.
pub trait Structure: Send {
    /// Offers every member to the writer, by index.
    fn write(&self, writer: &mut dyn Writer);

    /// Takes the member of this index from the reader.
    ///
    /// # Errors
    /// The value there has another type.
    fn read(&mut self, member: usize, reader: &mut dyn Reader) -> Result<(), Malformed>;
}

/// One operation with its generated shapes.
pub trait Call: 'static {
    /// What comes in.
    type Input: Structure + Default + Send + Sync;
    /// What goes out.
    type Output: Structure + Send + 'static;
    /// Its service.
    const SERVICE: &'static Service;
    /// Its index in the service's operations.
    const INDEX: usize;
}

/// An operation whose output is followed by events.
pub trait StreamingCall: Call {
    /// One of them.
    type Event: Event;
}

/// A generated union whose members travel as events.
pub trait Event: Send + 'static {
    /// The member that it is, by index, and its value.
    fn member(&self) -> (usize, &dyn Structure);
}

/// Input or output of an operation that has none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unit;

impl Structure for Unit {
    fn write(&self, _: &mut dyn Writer) {}

    fn read(&mut self, _: usize, _: &mut dyn Reader) -> Result<(), Malformed> {
        Ok(())
    }
}

/// Anything a member can be.
pub trait Value {
    /// Writes itself.
    fn write(&self, writer: &mut dyn Writer);

    /// Whether there is nothing to write.
    fn is_none(&self) -> bool {
        false
    }

    /// Reads one.
    ///
    /// # Errors
    /// The value there has another type.
    fn read(reader: &mut dyn Reader) -> Result<Self, Malformed>
    where
        Self: Sized;
}

/// A generated enumeration. It is `Copy`; its names are the model's.
pub trait Enumeration: Copy + 'static {
    /// Names in order.
    const NAMES: &'static [&'static str];
    /// Variants in the same order.
    const ALL: &'static [Self];

    /// This one's position in both.
    fn index(self) -> usize;

    /// The model's name.
    fn as_str(self) -> &'static str {
        Self::NAMES[self.index()]
    }

    /// The variant of this name.
    fn from_name(name: &str) -> Option<Self> {
        Self::NAMES.iter().position(|known| *known == name).map(|index| Self::ALL[index])
    }
}

/// Receives values in the form of a protocol.
#[allow(missing_docs)] // One method per kind.
pub trait Writer {
    /// A member of the structure being written.
    fn member(&mut self, index: usize, value: &dyn Value);
    fn string(&mut self, value: &str);
    fn integer(&mut self, value: i64);
    fn double(&mut self, value: f64);
    fn boolean(&mut self, value: bool);
    fn blob(&mut self, value: &Bytes);
    fn timestamp(&mut self, value: Millis);
    fn document(&mut self, value: &Document);
    fn structure(&mut self, value: &dyn Structure);
    fn list(&mut self, items: &mut dyn Iterator<Item = &dyn Value>);
    fn map(&mut self, entries: &mut dyn Iterator<Item = (&String, &dyn Value)>);
}

/// Gives values out of the form of a protocol, validating them against the schema as it goes. What
/// a reader does not offer is not there: the value is malformed.
#[allow(missing_docs)] // One method per kind.
pub trait Reader {
    fn string(&mut self) -> Result<String, Malformed> {
        Err(unexpected())
    }
    /// Position in the shape's enumeration; an unknown name is noted as a violation and gives 0.
    fn enumeration(&mut self) -> Result<usize, Malformed> {
        Err(unexpected())
    }
    fn integer(&mut self) -> Result<i64, Malformed> {
        Err(unexpected())
    }
    fn double(&mut self) -> Result<f64, Malformed> {
        Err(unexpected())
    }
    fn boolean(&mut self) -> Result<bool, Malformed> {
        Err(unexpected())
    }
    fn blob(&mut self) -> Result<Bytes, Malformed> {
        Err(unexpected())
    }
    fn timestamp(&mut self) -> Result<Millis, Malformed> {
        Err(unexpected())
    }
    fn document(&mut self) -> Result<Document, Malformed> {
        Err(unexpected())
    }
    /// Calls back with the index of each member that is there and not null.
    fn structure(&mut self, _: ReadMember<'_>) -> Result<(), Malformed> {
        Err(unexpected())
    }
    /// Calls back for each element.
    fn list(&mut self, _: ReadElement<'_>) -> Result<(), Malformed> {
        Err(unexpected())
    }
    /// Calls back for each entry.
    fn map(&mut self, _: ReadEntry<'_>) -> Result<(), Malformed> {
        Err(unexpected())
    }
}

fn unexpected() -> Malformed {
    Malformed("Expected structure or null".to_owned())
}

/// Takes the member of an index.
pub type ReadMember<'a> = &'a mut dyn FnMut(usize, &mut dyn Reader) -> Result<(), Malformed>;
/// Takes an element.
pub type ReadElement<'a> = &'a mut dyn FnMut(&mut dyn Reader) -> Result<(), Malformed>;
/// Takes an entry.
pub type ReadEntry<'a> = &'a mut dyn FnMut(String, &mut dyn Reader) -> Result<(), Malformed>;

impl<T: Value> Value for Option<T> {
    fn write(&self, writer: &mut dyn Writer) {
        if let Some(value) = self {
            value.write(writer);
        }
    }

    fn is_none(&self) -> bool {
        self.is_none()
    }

    fn read(reader: &mut dyn Reader) -> Result<Self, Malformed> {
        T::read(reader).map(Some)
    }
}

impl<T: Value> Value for Box<T> {
    fn write(&self, writer: &mut dyn Writer) {
        (**self).write(writer);
    }

    fn read(reader: &mut dyn Reader) -> Result<Self, Malformed> {
        T::read(reader).map(Box::new)
    }
}

impl<T: Value> Value for Vec<T> {
    fn write(&self, writer: &mut dyn Writer) {
        writer.list(&mut self.iter().map(|item| item as &dyn Value));
    }

    fn read(reader: &mut dyn Reader) -> Result<Self, Malformed> {
        let mut items = Vec::new();
        reader.list(&mut |reader| {
            items.push(T::read(reader)?);
            Ok(())
        })?;
        Ok(items)
    }
}

impl<T: Value> Value for Map<T> {
    fn write(&self, writer: &mut dyn Writer) {
        writer.map(&mut self.iter().map(|(key, value)| (key, value as &dyn Value)));
    }

    fn read(reader: &mut dyn Reader) -> Result<Self, Malformed> {
        let mut entries = Map::new();
        reader.map(&mut |key, reader| {
            entries.insert(key, T::read(reader)?);
            Ok(())
        })?;
        Ok(entries)
    }
}

macro_rules! scalar {
    ($type:ty, $method:ident, $value:ident => $write:expr, $read:ident => $out:expr) => {
        impl Value for $type {
            fn write(&self, writer: &mut dyn Writer) {
                let $value = self;
                writer.$method($write);
            }

            fn read(reader: &mut dyn Reader) -> Result<Self, Malformed> {
                let $read = reader.$method()?;
                Ok($out)
            }
        }
    };
}

scalar!(String, string, it => it, it => it);
scalar!(i32, integer, it => i64::from(*it), it => narrow(it)?);
scalar!(i64, integer, it => *it, it => it);
scalar!(f64, double, it => *it, it => it);
scalar!(f32, double, it => f64::from(*it), it => it as f32);
scalar!(bool, boolean, it => *it, it => it);
scalar!(Bytes, blob, it => it, it => it);
scalar!(Millis, timestamp, it => *it, it => it);
scalar!(Document, document, it => it, it => it);

/// Refused rather than cut: 4,294,967,297 is not 1.
fn narrow(number: i64) -> Result<i32, Malformed> {
    i32::try_from(number)
        .map_err(|_| Malformed(format!("{number} is out of the range of an Integer")))
}

/// Makes a generated structure a [`Value`].
#[macro_export]
macro_rules! structure_value {
    ($type:ident) => {
        impl $crate::Value for $type {
            fn write(&self, writer: &mut dyn $crate::Writer) {
                writer.structure(self);
            }

            fn read(reader: &mut dyn $crate::Reader) -> Result<Self, $crate::Malformed> {
                let mut value = $type::default();
                reader.structure(&mut |member, reader| {
                    $crate::Structure::read(&mut value, member, reader)
                })?;
                Ok(value)
            }
        }
    };
}

/// Makes a generated enumeration a [`Value`].
#[macro_export]
macro_rules! enumeration_value {
    ($type:ident) => {
        impl $crate::Value for $type {
            fn write(&self, writer: &mut dyn $crate::Writer) {
                writer.string($crate::Enumeration::as_str(*self));
            }

            fn read(reader: &mut dyn $crate::Reader) -> Result<Self, $crate::Malformed> {
                Ok(<$type as $crate::Enumeration>::ALL[reader.enumeration()?])
            }
        }
    };
}
