//! XML answers of the query protocol.

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use kit::Millis;

use crate::{
    Document, Structure, Value, Writer,
    schema::{Kind, Member, Shape},
};

/// Writes the content of one element.
pub(crate) struct XmlWriter {
    pub(crate) out: Vec<u8>,
    shapes: &'static [Shape],
    shape: &'static Shape,
    /// The element's name that a flattened list or map repeats; `None`: not flattened.
    repeated: Option<&'static str>,
}

impl XmlWriter {
    pub(crate) fn new(shapes: &'static [Shape], shape: &'static Shape) -> XmlWriter {
        XmlWriter { out: Vec::with_capacity(512), shapes, shape, repeated: None }
    }

    /// An element around what `content` writes.
    pub(crate) fn element(&mut self, name: &str, content: impl FnOnce(&mut XmlWriter)) {
        self.out.push(b'<');
        self.out.extend_from_slice(name.as_bytes());
        self.out.push(b'>');
        content(self);
        self.out.extend_from_slice(b"</");
        self.out.extend_from_slice(name.as_bytes());
        self.out.push(b'>');
    }

    fn write_as(&mut self, member: &'static Member, value: &dyn Value) {
        let outer = std::mem::replace(&mut self.shape, &self.shapes[usize::from(member.shape)]);
        value.write(self);
        self.shape = outer;
    }
}

/// Appends a text with XML's special characters escaped.
pub(crate) fn push_escaped(out: &mut Vec<u8>, text: &str) {
    for character in text.chars() {
        match character {
            '<' => out.extend_from_slice(b"&lt;"),
            '>' => out.extend_from_slice(b"&gt;"),
            '&' => out.extend_from_slice(b"&amp;"),
            '"' => out.extend_from_slice(b"&quot;"),
            '\r' => out.extend_from_slice(b"&#xD;"),
            other => out.extend_from_slice(other.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
}

impl Writer for XmlWriter {
    fn member(&mut self, index: usize, value: &dyn Value) {
        if value.is_none() {
            return;
        }
        let member = &self.shape.members[index];
        let kind = self.shapes[usize::from(member.shape)].kind;
        if member.flattened && matches!(kind, Kind::List | Kind::Map) {
            self.repeated = Some(member.xml);
            self.write_as(member, value);
            self.repeated = None;
        } else {
            self.element(member.xml, |writer| writer.write_as(member, value));
        }
    }

    fn string(&mut self, value: &str) {
        push_escaped(&mut self.out, value);
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
        self.out.extend_from_slice(STANDARD.encode(value).as_bytes());
    }

    fn timestamp(&mut self, value: Millis) {
        // IAM and STS write whole seconds; milliseconds appear only where there are some.
        let text =
            if value.0.is_multiple_of(1000) { value.iso8601_seconds() } else { value.iso8601() };
        self.string(&text);
    }

    fn document(&mut self, value: &Document) {
        self.string(&value.0);
    }

    fn structure(&mut self, value: &dyn Structure) {
        value.write(self);
    }

    fn list(&mut self, items: &mut dyn Iterator<Item = &dyn Value>) {
        let element = &self.shape.members[0];
        let name = match self.repeated.take() {
            Some(name) if element.xml == "member" => name,
            _ => element.xml,
        };
        for item in items {
            self.element(name, |writer| writer.write_as(element, item));
        }
    }

    fn map(&mut self, entries: &mut dyn Iterator<Item = (&String, &dyn Value)>) {
        let members = self.shape.members;
        let name = self.repeated.take().unwrap_or("entry");
        for (key, value) in entries {
            self.element(name, |writer| {
                writer.element(members[0].xml, |writer| writer.string(key));
                writer.element(members[1].xml, |writer| writer.write_as(&members[1], value));
            });
        }
    }
}
