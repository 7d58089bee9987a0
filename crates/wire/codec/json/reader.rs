//! Reads JSON straight from the request's bytes, validating as it goes.

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use kit::Millis;

use crate::{
    Document, Malformed, ReadElement, ReadEntry, ReadMember, Reader,
    codec::scalar,
    schema::{Kind, Location, Member, Shape},
    violations::{self, Step, Violations},
};

/// Documents nested deeper are refused: no AWS shape comes near it.
const MAX_DEPTH: usize = 128;

/// Reads one document against a shape.
pub(crate) struct JsonReader<'a> {
    text: &'a [u8],
    at: usize,
    depth: usize,
    shapes: &'static [Shape],
    shape: &'static Shape,
    violations: &'a mut Violations,
    /// Set inside a list or a map of scalars, whose violations are told at the collection.
    collected: Option<Collected>,
}

#[derive(Default)]
struct Collected {
    shown: Vec<String>,
    failed: Vec<String>,
}

impl Collected {
    /// Notes an element and what it fails; each constraint is told once, however many fail it.
    fn note(&mut self, value: &str, failed: Vec<String>) {
        self.shown.push(value.to_owned());
        for constraint in failed {
            if !self.failed.contains(&constraint) {
                self.failed.push(constraint);
            }
        }
    }
}

type Done = Result<(), Malformed>;

impl<'a> JsonReader<'a> {
    pub(crate) fn new(
        text: &'a [u8],
        shapes: &'static [Shape],
        shape: &'static Shape,
        violations: &'a mut Violations,
    ) -> JsonReader<'a> {
        JsonReader { text, at: 0, depth: 0, shapes, shape, violations, collected: None }
    }

    /// Fails if anything but white space follows.
    pub(crate) fn end(&mut self) -> Done {
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(self.unexpected()),
        }
    }

    /// The next byte that is not white space, not consumed.
    fn peek(&mut self) -> Option<u8> {
        while let Some(byte) = self.text.get(self.at) {
            if !matches!(byte, b' ' | b'\n' | b'\r' | b'\t') {
                return Some(*byte);
            }
            self.at += 1;
        }
        None
    }

    fn expect(&mut self, byte: u8) -> Done {
        if self.peek() != Some(byte) {
            return Err(self.unexpected());
        }
        self.at += 1;
        Ok(())
    }

    fn unexpected(&mut self) -> Malformed {
        match self.peek() {
            Some(byte) if byte.is_ascii_graphic() => Malformed(format!(
                "Unexpected character ('{}') at offset {}",
                byte as char, self.at
            )),
            Some(_) => Malformed(format!("Unexpected character at offset {}", self.at)),
            None => Malformed("Unexpected end of input".to_owned()),
        }
    }

    fn mismatch(&mut self) -> Malformed {
        let wanted = match self.shape.kind {
            Kind::String => "a String",
            Kind::Integer => "an Integer",
            Kind::Long => "a Long",
            Kind::Boolean => "a Boolean",
            Kind::Double => "a Double",
            Kind::Float => "a Float",
            Kind::Blob => "a Blob",
            Kind::Timestamp => "a Timestamp",
            Kind::List => return Malformed("Expected list or null".to_owned()),
            Kind::Map => return Malformed("Expected map or null".to_owned()),
            _ => return Malformed("Expected structure or null".to_owned()),
        };
        let found = match self.peek() {
            Some(b'"') => "STRING_VALUE",
            Some(b't') => "TRUE_VALUE",
            Some(b'f') => "FALSE_VALUE",
            Some(b'-' | b'0'..=b'9') => "NUMBER_VALUE",
            Some(b'{') => {
                return Malformed("Start of structure or map found where not expected.".to_owned());
            }
            Some(b'[') => return Malformed("Start of list found where not expected".to_owned()),
            _ => return self.unexpected(),
        };
        Malformed(format!("{found} can not be converted to {wanted}"))
    }

    fn deeper(&mut self) -> Done {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(Malformed(format!(
                "The document is nested deeper than {MAX_DEPTH} levels"
            )));
        }
        Ok(())
    }

    /// Takes `null` if it is there.
    fn null(&mut self) -> bool {
        let null = self.peek() == Some(b'n') && self.text[self.at..].starts_with(b"null");
        if null {
            self.at += 4;
        }
        null
    }

    /// A quoted text, unescaped.
    fn quoted(&mut self) -> Result<String, Malformed> {
        self.expect(b'"')?;
        let start = self.at;
        while let Some(byte) = self.text.get(self.at) {
            match byte {
                b'"' => {
                    let text = utf8(&self.text[start..self.at])?.to_owned();
                    self.at += 1;
                    return Ok(text);
                }
                b'\\' => return self.escaped(start),
                0..=0x1f => return Err(self.unexpected()),
                _ => self.at += 1,
            }
        }
        Err(Malformed("Unexpected end of input".to_owned()))
    }

    /// The slow way: from the first backslash on.
    fn escaped(&mut self, start: usize) -> Result<String, Malformed> {
        while let Some(byte) = self.text.get(self.at) {
            match byte {
                b'"' => {
                    self.at += 1;
                    let quoted = &self.text[start - 1..self.at];
                    return serde_json::from_slice(quoted)
                        .map_err(|error| Malformed(format!("Invalid string: {error}")));
                }
                b'\\' => self.at += 2,
                _ => self.at += 1,
            }
        }
        Err(Malformed("Unexpected end of input".to_owned()))
    }

    /// The text of a number.
    fn number(&mut self) -> Result<&'a str, Malformed> {
        if !matches!(self.peek(), Some(b'-' | b'0'..=b'9')) {
            return Err(self.mismatch());
        }
        let start = self.at;
        while matches!(self.text.get(self.at), Some(b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9'))
        {
            self.at += 1;
        }
        utf8(&self.text[start..self.at])
    }

    /// Steps over one value of any form.
    fn skip(&mut self) -> Done {
        match self.peek() {
            Some(b'"') => self.quoted().map(drop),
            Some(b'{') => self.each_entry(&mut |reader, _| reader.skip()),
            Some(b'[') => self.each_element(&mut |reader, _| reader.skip()),
            Some(b'-' | b'0'..=b'9') => self.number().map(drop),
            _ => {
                for word in ["true", "false", "null"] {
                    if self.text[self.at..].starts_with(word.as_bytes()) {
                        self.at += word.len();
                        return Ok(());
                    }
                }
                Err(self.unexpected())
            }
        }
    }

    fn each_entry(&mut self, each: &mut dyn FnMut(&mut Self, String) -> Done) -> Done {
        if self.peek() != Some(b'{') {
            return Err(self.mismatch());
        }
        self.at += 1;
        self.deeper()?;
        if self.peek() == Some(b'}') {
            self.at += 1;
            self.depth -= 1;
            return Ok(());
        }
        loop {
            self.peek();
            let key = self.quoted()?;
            self.expect(b':')?;
            each(self, key)?;
            match self.peek() {
                Some(b',') => self.at += 1,
                _ => {
                    self.expect(b'}')?;
                    self.depth -= 1;
                    return Ok(());
                }
            }
        }
    }

    fn each_element(&mut self, each: &mut dyn FnMut(&mut Self, usize) -> Done) -> Done {
        if self.peek() != Some(b'[') {
            return Err(self.mismatch());
        }
        self.at += 1;
        self.deeper()?;
        if self.peek() == Some(b']') {
            self.at += 1;
            self.depth -= 1;
            return Ok(());
        }
        for index in 0.. {
            each(self, index)?;
            match self.peek() {
                Some(b',') => self.at += 1,
                _ => break,
            }
        }
        self.expect(b']')?;
        self.depth -= 1;
        Ok(())
    }

    /// Reads the value here as `member`'s shape; steps over it if the callback did not take it.
    fn read_as(
        &mut self,
        member: &'static Member,
        read: &mut dyn FnMut(&mut dyn Reader) -> Done,
    ) -> Done {
        let outer = std::mem::replace(&mut self.shape, &self.shapes[usize::from(member.shape)]);
        self.peek();
        let start = self.at;
        read(self)?;
        self.shape = outer;
        if self.at == start { self.skip() } else { Ok(()) }
    }

    /// Notes what is wrong with a scalar, here or at the collection around it.
    fn note(&mut self, value: &str, failed: Vec<String>) {
        match &mut self.collected {
            Some(collected) => collected.note(value, failed),
            None => self.violations.value(self.shape, value, failed),
        }
    }

    /// The members that stand in the body, each once.
    pub(crate) fn members(&mut self, read: ReadMember<'_>) -> Done {
        let members = self.shape.members;
        let outer_collected = self.collected.take();
        let mut seen = 0_u128;
        self.each_entry(&mut |reader, key| {
            let known =
                members.iter().position(|it| it.wire == key && it.location == Location::Body);
            let Some(index) = known else { return reader.skip() };
            if reader.null() {
                return Ok(());
            }
            seen |= 1 << (index % 128);
            let member = &members[index];
            reader.violations.enter(Step::Member(member.name));
            reader.read_as(member, &mut |inner| read(index, inner))?;
            reader.violations.leave();
            Ok(())
        })?;
        self.collected = outer_collected;
        for (index, member) in members.iter().enumerate() {
            let here = member.location == Location::Body;
            if here && member.required && seen & (1 << (index % 128)) == 0 {
                self.violations.missing(member.name);
            }
        }
        Ok(())
    }

    fn check_collection(&mut self, length: usize, collected: Option<Collected>, what: &str) {
        if !self.violations.bounds {
            return;
        }
        let shape = self.shape;
        let collected = collected.unwrap_or_default();
        let shown = format!("[{}]", collected.shown.join(", "));
        if !collected.failed.is_empty() {
            let constraint =
                format!("{what} must satisfy constraint: [{}]", collected.failed.join(", "));
            self.violations.value(shape, &shown, vec![constraint]);
        }
        self.violations.value(shape, &shown, violations::of_length(shape, length));
    }
}

impl Reader for JsonReader<'_> {
    fn string(&mut self) -> Result<String, Malformed> {
        if self.peek() != Some(b'"') {
            return Err(self.mismatch());
        }
        let text = self.quoted()?;
        if self.violations.bounds {
            let failed = violations::of_text(self.shape, &text);
            if !failed.is_empty() || self.collected.is_some() {
                self.note(&text, failed);
            }
        }
        Ok(text)
    }

    fn enumeration(&mut self) -> Result<usize, Malformed> {
        if self.peek() != Some(b'"') {
            return Err(self.mismatch());
        }
        let text = self.quoted()?;
        let position = self.shape.enums.iter().position(|known| *known == text);
        if position.is_none() || self.collected.is_some() {
            let failed = violations::of_text(self.shape, &text);
            self.note(&text, failed);
        }
        Ok(position.unwrap_or(0))
    }

    fn integer(&mut self) -> Result<i64, Malformed> {
        let text = self.number()?;
        // AWS takes `1.0` and `1e3` for integers and cuts fractions.
        let number = text
            .parse::<i64>()
            .or_else(|_| text.parse::<f64>().map(|it| it as i64))
            .map_err(|_| Malformed(format!("Invalid number: {text}")))?;
        if self.violations.bounds {
            let failed = violations::of_number(self.shape, number);
            if !failed.is_empty() {
                self.note(&number.to_string(), failed);
            }
        }
        Ok(number)
    }

    fn double(&mut self) -> Result<f64, Malformed> {
        let text = self.number()?;
        text.parse().map_err(|_| Malformed(format!("Invalid number: {text}")))
    }

    fn boolean(&mut self) -> Result<bool, Malformed> {
        self.peek();
        for (word, value) in [("true", true), ("false", false)] {
            if self.text[self.at..].starts_with(word.as_bytes()) {
                self.at += word.len();
                return Ok(value);
            }
        }
        Err(self.mismatch())
    }

    fn blob(&mut self) -> Result<Bytes, Malformed> {
        if self.peek() != Some(b'"') {
            return Err(self.mismatch());
        }
        let text = self.quoted()?;
        let bytes = STANDARD
            .decode(text.as_bytes())
            .map_err(|error| Malformed(format!("Invalid base64: {error}")))?;
        if self.violations.bounds {
            let failed = violations::of_length(self.shape, bytes.len());
            self.violations.value(self.shape, "java.nio.HeapByteBuffer", failed);
        }
        Ok(bytes.into())
    }

    fn timestamp(&mut self) -> Result<Millis, Malformed> {
        if self.peek() == Some(b'"') {
            let text = self.quoted()?;
            return scalar::parse_timestamp(&text);
        }
        scalar::from_epoch_seconds(self.double()?)
    }

    fn document(&mut self) -> Result<Document, Malformed> {
        self.peek();
        let start = self.at;
        self.skip()?;
        Ok(Document(utf8(&self.text[start..self.at])?.to_owned()))
    }

    fn structure(&mut self, read: ReadMember<'_>) -> Result<(), Malformed> {
        self.members(read)
    }

    fn list(&mut self, read: ReadElement<'_>) -> Result<(), Malformed> {
        let element = &self.shape.members[0];
        let scalars = is_scalar(&self.shapes[usize::from(element.shape)]);
        let outer = std::mem::replace(&mut self.collected, scalars.then(Collected::default));
        let mut length = 0;
        self.each_element(&mut |reader, index| {
            if reader.null() {
                return Ok(());
            }
            length += 1;
            reader.violations.enter(Step::Element(index));
            reader.read_as(element, read)?;
            reader.violations.leave();
            Ok(())
        })?;
        let collected = std::mem::replace(&mut self.collected, outer);
        self.check_collection(length, collected, "Member");
        Ok(())
    }

    fn map(&mut self, read: ReadEntry<'_>) -> Result<(), Malformed> {
        let [key_member, value_member] = self.shape.members else {
            return Err(self.mismatch());
        };
        let key_shape = &self.shapes[usize::from(key_member.shape)];
        let scalars = is_scalar(&self.shapes[usize::from(value_member.shape)]);
        let outer = std::mem::replace(&mut self.collected, scalars.then(Collected::default));
        let mut keys = Collected::default();
        let mut length = 0;
        self.each_entry(&mut |reader, key| {
            if reader.null() {
                return Ok(());
            }
            length += 1;
            if reader.violations.bounds {
                keys.note(&key, violations::of_text(key_shape, &key));
            }
            reader.violations.enter(Step::Entry(key.clone()));
            let mut key = Some(key);
            reader
                .read_as(value_member, &mut |inner| read(key.take().unwrap_or_default(), inner))?;
            reader.violations.leave();
            Ok(())
        })?;
        let values = std::mem::replace(&mut self.collected, outer);
        if self.violations.bounds {
            let shown = show_map(&keys.shown, values.as_ref());
            for (what, failed) in
                [("Map keys", keys.failed), ("Map value", values.unwrap_or_default().failed)]
            {
                if !failed.is_empty() {
                    let constraint =
                        format!("{what} must satisfy constraint: [{}]", failed.join(", "));
                    self.violations.value(self.shape, &shown, vec![constraint]);
                }
            }
            let failed = violations::of_length(self.shape, length);
            self.violations.value(self.shape, &shown, failed);
        }
        Ok(())
    }
}

fn show_map(keys: &[String], values: Option<&Collected>) -> String {
    let values = values.map_or(&[][..], |values| &values.shown);
    let pairs: Vec<String> = keys
        .iter()
        .enumerate()
        .map(|(index, key)| format!("{key}={}", values.get(index).map_or("", String::as_str)))
        .collect();
    format!("{{{}}}", pairs.join(", "))
}

fn is_scalar(shape: &Shape) -> bool {
    matches!(shape.kind, Kind::String | Kind::Integer | Kind::Long)
}

fn utf8(bytes: &[u8]) -> Result<&str, Malformed> {
    std::str::from_utf8(bytes).map_err(|_| Malformed("The body is not valid UTF-8".to_owned()))
}
