//! Writes JSON straight into the answer's bytes.

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use kit::Millis;

use crate::{
    Document, Structure, Value, Writer,
    schema::{Member, Shape},
};

/// Writes one document.
pub(crate) struct JsonWriter {
    pub(crate) out: Vec<u8>,
    shapes: &'static [Shape],
    shape: &'static Shape,
    first: bool,
}

impl JsonWriter {
    pub(crate) fn new(shapes: &'static [Shape], shape: &'static Shape) -> JsonWriter {
        JsonWriter { out: Vec::with_capacity(256), shapes, shape, first: true }
    }

    fn comma(&mut self) {
        if !self.first {
            self.out.push(b',');
        }
        self.first = false;
    }

    fn write_as(&mut self, member: &'static Member, value: &dyn Value) {
        let outer = std::mem::replace(&mut self.shape, &self.shapes[usize::from(member.shape)]);
        value.write(self);
        self.shape = outer;
        self.first = false;
    }
}

/// Appends a quoted, escaped text.
pub(crate) fn push_quoted(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    let mut plain = 0;
    for (at, byte) in text.bytes().enumerate() {
        let escape: &[u8] = match byte {
            b'"' => b"\\\"",
            b'\\' => b"\\\\",
            b'\n' => b"\\n",
            b'\r' => b"\\r",
            b'\t' => b"\\t",
            0..=0x1f => b"",
            _ => continue,
        };
        out.extend_from_slice(&text.as_bytes()[plain..at]);
        plain = at + 1;
        if escape.is_empty() {
            out.extend_from_slice(format!("\\u{byte:04x}").as_bytes());
        } else {
            out.extend_from_slice(escape);
        }
    }
    out.extend_from_slice(&text.as_bytes()[plain..]);
    out.push(b'"');
}

impl Writer for JsonWriter {
    fn member(&mut self, index: usize, value: &dyn Value) {
        if value.is_none() {
            return;
        }
        let member = &self.shape.members[index];
        self.comma();
        push_quoted(&mut self.out, member.wire);
        self.out.push(b':');
        self.write_as(member, value);
    }

    fn string(&mut self, value: &str) {
        push_quoted(&mut self.out, value);
    }

    fn integer(&mut self, value: i64) {
        self.out.extend_from_slice(value.to_string().as_bytes());
    }

    fn double(&mut self, value: f64) {
        self.out.extend_from_slice(value.to_string().as_bytes());
    }

    fn boolean(&mut self, value: bool) {
        self.out.extend_from_slice(if value { b"true" } else { b"false" });
    }

    fn blob(&mut self, value: &Bytes) {
        self.string(&STANDARD.encode(value));
    }

    fn timestamp(&mut self, value: Millis) {
        match self.shape.timestamp_format {
            "iso8601" => self.string(&value.iso8601()),
            _ => self.double(value.seconds_f64()),
        }
    }

    fn document(&mut self, value: &Document) {
        self.out.extend_from_slice(value.0.as_bytes());
    }

    fn structure(&mut self, value: &dyn Structure) {
        self.out.push(b'{');
        self.first = true;
        value.write(self);
        self.out.push(b'}');
        self.first = false;
    }

    fn list(&mut self, items: &mut dyn Iterator<Item = &dyn Value>) {
        self.out.push(b'[');
        self.first = true;
        let element = &self.shape.members[0];
        for item in items {
            self.comma();
            self.write_as(element, item);
        }
        self.out.push(b']');
    }

    fn map(&mut self, entries: &mut dyn Iterator<Item = (&String, &dyn Value)>) {
        self.out.push(b'{');
        self.first = true;
        let values = &self.shape.members[1];
        for (key, value) in entries {
            self.comma();
            push_quoted(&mut self.out, key);
            self.out.push(b':');
            self.write_as(values, value);
        }
        self.out.push(b'}');
    }
}
