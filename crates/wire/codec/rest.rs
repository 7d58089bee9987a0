//! The REST-JSON protocol: members travel in the path, the query string, headers and the body.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use kit::Millis;

use crate::{
    Document, Malformed, ReadMember, Reader, Structure, Value, Writer,
    codec::{
        json::{JsonReader, JsonWriter},
        scalar::ScalarReader,
    },
    schema::{Kind, Location, Member, Shape},
    violations::{Step, Violations},
};

/// A request taken apart by the router.
pub(crate) struct RestRequest<'a> {
    /// Labels of the path by name, decoded.
    pub(crate) labels: &'a [(&'static str, String)],
    /// The query string, decoded, in order.
    pub(crate) query: &'a [(String, String)],
    pub(crate) headers: &'a HeaderMap,
    pub(crate) body: &'a Bytes,
}

/// Reads the input structure of a REST operation.
pub(crate) struct RestReader<'a> {
    pub(crate) request: RestRequest<'a>,
    pub(crate) shapes: &'static [Shape],
    pub(crate) shape: &'static Shape,
    pub(crate) violations: &'a mut Violations,
}

impl RestReader<'_> {
    /// The texts of a member that travels outside the body; empty if it is absent.
    fn texts(&self, member: &Member) -> Vec<String> {
        match member.location {
            Location::Uri => {
                let label = self.request.labels.iter().find(|(name, _)| *name == member.wire);
                label.map(|(_, text)| text.clone()).into_iter().collect()
            }
            Location::Query => {
                let pairs = self.request.query.iter().filter(|(name, _)| name == member.wire);
                pairs.map(|(_, text)| text.clone()).collect()
            }
            Location::Header => {
                let values = self.request.headers.get_all(member.wire).iter();
                values.filter_map(|value| value.to_str().ok()).map(str::to_owned).collect()
            }
            _ => Vec::new(),
        }
    }

    fn payload(
        &mut self,
        index: usize,
        member: &Member,
        read: ReadMember<'_>,
    ) -> Result<(), Malformed> {
        if self.request.body.is_empty() {
            return Ok(());
        }
        let shape = &self.shapes[usize::from(member.shape)];
        if shape.kind == Kind::Blob {
            return read(index, &mut PayloadReader(self.request.body.clone()));
        }
        let mut reader = JsonReader::new(self.request.body, self.shapes, shape, self.violations);
        read(index, &mut reader)?;
        reader.end()
    }

    fn body(&mut self, read: ReadMember<'_>) -> Result<(), Malformed> {
        let members = self.shape.members;
        let has = |location| members.iter().any(|member| member.location == location);
        // A body that is a payload holds no members.
        if !has(Location::Body) || has(Location::Payload) {
            return Ok(());
        }
        let empty = Bytes::from_static(b"{}");
        let body = if self.request.body.is_empty() { &empty } else { self.request.body };
        let mut reader = JsonReader::new(body, self.shapes, self.shape, self.violations);
        reader.members(read)?;
        reader.end()
    }
}

impl Reader for RestReader<'_> {
    fn structure(&mut self, read: ReadMember<'_>) -> Result<(), Malformed> {
        for (index, member) in self.shape.members.iter().enumerate() {
            match member.location {
                Location::Body | Location::Headers | Location::Status => continue,
                Location::Payload => {
                    self.payload(index, member, read)?;
                    continue;
                }
                Location::Uri | Location::Query | Location::Header => {}
            }
            let texts = self.texts(member);
            if texts.is_empty() {
                if member.required {
                    self.violations.missing(member.name);
                }
                continue;
            }
            self.violations.enter(Step::Member(member.name));
            let shape = &self.shapes[usize::from(member.shape)];
            let (shapes, violations) = (self.shapes, &mut *self.violations);
            read(index, &mut ScalarReader { texts: &texts, shapes, shape, violations })?;
            self.violations.leave();
        }
        self.body(read)
    }
}

/// A body that is one blob: handed over without a copy.
struct PayloadReader(Bytes);

impl Reader for PayloadReader {
    fn blob(&mut self) -> Result<Bytes, Malformed> {
        Ok(self.0.clone())
    }

    fn string(&mut self) -> Result<String, Malformed> {
        String::from_utf8(self.0.to_vec())
            .map_err(|_| Malformed("The body is not valid UTF-8".to_owned()))
    }

    fn document(&mut self) -> Result<Document, Malformed> {
        self.string().map(Document)
    }
}

/// What a REST answer consists of.
pub(crate) struct RestParts {
    pub(crate) status: Option<u16>,
    pub(crate) headers: HeaderMap,
    /// Set when a blob is the body.
    pub(crate) payload: Option<Bytes>,
    json: JsonWriter,
    shapes: &'static [Shape],
    shape: &'static Shape,
}

impl RestParts {
    /// Writes an output.
    pub(crate) fn of(
        output: &dyn Structure,
        shapes: &'static [Shape],
        shape: &'static Shape,
    ) -> RestParts {
        let any_body = shape.members.iter().any(|member| member.location == Location::Body);
        let mut parts = RestParts {
            status: None,
            headers: HeaderMap::new(),
            payload: None,
            json: JsonWriter::new(shapes, shape),
            shapes,
            shape,
        };
        if any_body {
            parts.json.out.push(b'{');
        }
        output.write(&mut parts);
        if any_body {
            parts.json.out.push(b'}');
        }
        parts
    }

    /// The body: a blob as it is, else the document.
    pub(crate) fn body(self) -> Bytes {
        self.payload.unwrap_or_else(|| self.json.out.into())
    }
}

impl Writer for RestParts {
    fn member(&mut self, index: usize, value: &dyn Value) {
        if value.is_none() {
            return;
        }
        let member = &self.shape.members[index];
        let shape = &self.shapes[usize::from(member.shape)];
        match member.location {
            Location::Body => self.json.member(index, value),
            Location::Payload if shape.kind == Kind::Blob => {
                let mut text = TextWriter::default();
                value.write(&mut text);
                self.payload = Some(text.blob);
            }
            Location::Payload => {
                let mut json = JsonWriter::new(self.shapes, shape);
                value.write(&mut json);
                self.json = json;
            }
            Location::Status => {
                let mut text = TextWriter::default();
                value.write(&mut text);
                self.status = text.text.parse().ok();
            }
            Location::Header => {
                let mut text = TextWriter::default();
                value.write(&mut text);
                let name = HeaderName::try_from(member.wire);
                if let (Ok(name), Ok(value)) = (name, HeaderValue::try_from(text.text)) {
                    self.headers.insert(name, value);
                }
            }
            Location::Headers | Location::Uri | Location::Query => {}
        }
    }

    fn string(&mut self, _: &str) {}
    fn integer(&mut self, _: i64) {}
    fn double(&mut self, _: f64) {}
    fn boolean(&mut self, _: bool) {}
    fn blob(&mut self, _: &Bytes) {}
    fn timestamp(&mut self, _: Millis) {}
    fn document(&mut self, _: &Document) {}
    fn structure(&mut self, _: &dyn Structure) {}
    fn list(&mut self, _: &mut dyn Iterator<Item = &dyn Value>) {}
    fn map(&mut self, _: &mut dyn Iterator<Item = (&String, &dyn Value)>) {}
}

/// Takes one scalar as text, or one blob as it is.
#[derive(Default)]
struct TextWriter {
    text: String,
    blob: Bytes,
}

impl Writer for TextWriter {
    fn string(&mut self, value: &str) {
        value.clone_into(&mut self.text);
    }

    fn integer(&mut self, value: i64) {
        self.text = value.to_string();
    }

    fn double(&mut self, value: f64) {
        self.text = value.to_string();
    }

    fn boolean(&mut self, value: bool) {
        self.text = value.to_string();
    }

    fn blob(&mut self, value: &Bytes) {
        self.blob = value.clone();
    }

    fn timestamp(&mut self, value: Millis) {
        self.text = value.iso8601_seconds();
    }

    fn document(&mut self, value: &Document) {
        self.text = value.0.clone();
    }

    fn member(&mut self, _: usize, _: &dyn Value) {}
    fn structure(&mut self, _: &dyn Structure) {}
    fn list(&mut self, _: &mut dyn Iterator<Item = &dyn Value>) {}
    fn map(&mut self, _: &mut dyn Iterator<Item = (&String, &dyn Value)>) {}
}
