//! JSON: `reader` takes requests apart, `writer` makes answers.

mod reader;
mod writer;

pub(crate) use reader::JsonReader;
pub(crate) use writer::{JsonWriter, push_quoted};
