//! Values written as plain text: in labels, query strings, headers and forms.

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use kit::Millis;
use time::{
    OffsetDateTime,
    format_description::well_known::{Rfc2822, Rfc3339},
};

use crate::{
    Document, Malformed, ReadElement, ReadEntry, ReadMember, Reader,
    schema::{Kind, Shape},
    violations::{self, Violations},
};

/// Reads one text, or a list of texts, as a shape.
pub(crate) struct ScalarReader<'a> {
    pub(crate) texts: &'a [String],
    pub(crate) shapes: &'static [Shape],
    pub(crate) shape: &'static Shape,
    pub(crate) violations: &'a mut Violations,
}

impl ScalarReader<'_> {
    fn text(&self) -> &str {
        self.texts.first().map_or("", String::as_str)
    }

    fn mismatch(&self) -> Malformed {
        let kind = format!("{:?}", self.shape.kind);
        Malformed(format!("'{}' can not be converted to {kind}", self.text()))
    }
}

impl Reader for ScalarReader<'_> {
    fn string(&mut self) -> Result<String, Malformed> {
        let text = self.text().to_owned();
        if self.violations.bounds {
            self.violations.value(self.shape, &text, violations::of_text(self.shape, &text));
        }
        Ok(text)
    }

    fn enumeration(&mut self) -> Result<usize, Malformed> {
        let text = self.text().to_owned();
        let position = self.shape.enums.iter().position(|known| *known == text);
        if position.is_none() {
            self.violations.value(self.shape, &text, violations::of_text(self.shape, &text));
        }
        Ok(position.unwrap_or(0))
    }

    fn integer(&mut self) -> Result<i64, Malformed> {
        let number = self.text().trim().parse().map_err(|_| self.mismatch())?;
        if self.violations.bounds {
            let failed = violations::of_number(self.shape, number);
            self.violations.value(self.shape, &number.to_string(), failed);
        }
        Ok(number)
    }

    fn double(&mut self) -> Result<f64, Malformed> {
        self.text().trim().parse().map_err(|_| self.mismatch())
    }

    fn boolean(&mut self) -> Result<bool, Malformed> {
        match self.text() {
            text if text.eq_ignore_ascii_case("true") => Ok(true),
            text if text.eq_ignore_ascii_case("false") => Ok(false),
            _ => Err(self.mismatch()),
        }
    }

    fn blob(&mut self) -> Result<Bytes, Malformed> {
        STANDARD.decode(self.text()).map(Bytes::from).map_err(|_| self.mismatch())
    }

    fn timestamp(&mut self) -> Result<Millis, Malformed> {
        parse_timestamp(self.text())
    }

    fn document(&mut self) -> Result<Document, Malformed> {
        Ok(Document(self.text().to_owned()))
    }

    fn structure(&mut self, _: ReadMember<'_>) -> Result<(), Malformed> {
        Err(self.mismatch())
    }

    fn list(&mut self, read: ReadElement<'_>) -> Result<(), Malformed> {
        let shape = &self.shapes[usize::from(self.shape.members[0].shape)];
        for text in self.texts {
            let texts = std::slice::from_ref(text);
            let violations = &mut *self.violations;
            read(&mut ScalarReader { texts, shapes: self.shapes, shape, violations })?;
        }
        Ok(())
    }

    fn map(&mut self, _: ReadEntry<'_>) -> Result<(), Malformed> {
        debug_assert_eq!(self.shape.kind, Kind::Map);
        Err(self.mismatch())
    }
}

/// Any of the forms in which AWS takes moments as text.
pub(crate) fn parse_timestamp(text: &str) -> Result<Millis, Malformed> {
    if let Ok(seconds) = text.parse::<f64>() {
        return from_epoch_seconds(seconds);
    }
    let date = OffsetDateTime::parse(text, &Rfc3339)
        .or_else(|_| OffsetDateTime::parse(text, &Rfc2822))
        .map_err(|_| Malformed(format!("Invalid timestamp: {text}")))?;
    u64::try_from(date.unix_timestamp_nanos() / 1_000_000)
        .map(Millis)
        .map_err(|_| Malformed(format!("Invalid timestamp: {text}")))
}

/// A moment given in seconds since the epoch.
pub(crate) fn from_epoch_seconds(seconds: f64) -> Result<Millis, Malformed> {
    if !(0.0..=253_402_300_799.0).contains(&seconds) {
        return Err(Malformed(format!("Invalid timestamp: {seconds}")));
    }
    Ok(Millis((seconds * 1000.0).round() as u64))
}
