//! The query protocol's requests: a form whose keys are paths (`Tags.member.1.Key`).

use bytes::Bytes;
use kit::Millis;

use crate::{
    Document, Malformed, ReadElement, ReadEntry, ReadMember, Reader,
    codec::scalar::ScalarReader,
    schema::{Kind, Member, Shape},
    violations::{self, Step, Violations},
};

/// Fields of one form; the greatest requests of AWS's query services have hundreds. Each costs many
/// times its bytes, and forms are read before it is known who sends them.
const MAX_FIELDS: usize = 10_000;

/// The fields of a form, sorted by key.
pub(crate) struct Form(Vec<(String, String)>);

impl Form {
    /// Decodes `a=b&c=d`. Of fields with one key the last one counts.
    pub(crate) fn parse(body: &[u8]) -> Result<Form, Malformed> {
        let text = std::str::from_utf8(body)
            .map_err(|_| Malformed("The form is not valid UTF-8".to_owned()))?;
        let mut fields = Vec::new();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            if fields.len() == MAX_FIELDS {
                return Err(Malformed(format!("The form has more than {MAX_FIELDS} fields")));
            }
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            fields.push((decode(key)?, decode(value)?));
        }
        fields.sort_by(|one, other| one.0.cmp(&other.0));
        Ok(Form(fields))
    }

    /// The value of a key.
    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        let behind = self.0.partition_point(|(known, _)| known.as_str() <= key);
        let (known, value) = self.0.get(behind.checked_sub(1)?)?;
        (known == key).then_some(value.as_str())
    }

    /// The same form with one more field, if it has none of that key.
    pub(crate) fn or(mut self, key: &str, value: &str) -> Form {
        if self.get(key).is_none() {
            let at = self.0.partition_point(|(known, _)| known.as_str() < key);
            self.0.insert(at, (key.to_owned(), value.to_owned()));
        }
        self
    }

    /// Whether there is a field at this path or below it.
    fn reaches(&self, path: &str) -> bool {
        let first = self.0.partition_point(|(known, _)| known.as_str() < path);
        let here = |(known, _): &&(String, String)| {
            known.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        // Keys such as `Name-x` sort between `Name` and `Name.1`.
        self.0[first..].iter().take_while(|(known, _)| known.starts_with(path)).any(|it| here(&it))
    }
}

fn decode(text: &str) -> Result<String, Malformed> {
    let spaced = text.replace('+', " ");
    percent_encoding::percent_decode_str(&spaced)
        .decode_utf8()
        .map(|text| text.into_owned())
        .map_err(|_| Malformed("The form is not valid UTF-8".to_owned()))
}

/// Reads the fields below a path as a shape.
pub(crate) struct QueryReader<'a> {
    form: &'a Form,
    path: String,
    flattened: bool,
    shapes: &'static [Shape],
    shape: &'static Shape,
    violations: &'a mut Violations,
}

impl<'a> QueryReader<'a> {
    pub(crate) fn new(
        form: &'a Form,
        shapes: &'static [Shape],
        shape: &'static Shape,
        violations: &'a mut Violations,
    ) -> QueryReader<'a> {
        QueryReader { form, path: String::new(), flattened: false, shapes, shape, violations }
    }

    fn below(&mut self, path: String, member: &'static Member) -> QueryReader<'_> {
        QueryReader {
            form: self.form,
            path,
            flattened: member.flattened,
            shapes: self.shapes,
            shape: &self.shapes[usize::from(member.shape)],
            violations: self.violations,
        }
    }

    fn join(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    /// The path of a list's elements without their numbers.
    fn elements(&self) -> String {
        let name = self.shape.members[0].xml;
        if !self.flattened {
            return self.join(name);
        }
        // A flattened list goes by its element's name where that has one of its own.
        match self.path.rsplit_once('.') {
            _ if name == "member" => self.path.clone(),
            Some((parent, _)) => format!("{parent}.{name}"),
            None => name.to_owned(),
        }
    }

    fn scalar<T>(
        &mut self,
        read: impl FnOnce(&mut ScalarReader<'_>) -> Result<T, Malformed>,
    ) -> Result<T, Malformed> {
        let texts = [self.form.get(&self.path).unwrap_or_default().to_owned()];
        let (shapes, shape) = (self.shapes, self.shape);
        read(&mut ScalarReader { texts: &texts, shapes, shape, violations: self.violations })
    }
}

impl Reader for QueryReader<'_> {
    fn string(&mut self) -> Result<String, Malformed> {
        self.scalar(|reader| reader.string())
    }

    fn enumeration(&mut self) -> Result<usize, Malformed> {
        self.scalar(|reader| reader.enumeration())
    }

    fn integer(&mut self) -> Result<i64, Malformed> {
        self.scalar(|reader| reader.integer())
    }

    fn double(&mut self) -> Result<f64, Malformed> {
        self.scalar(|reader| reader.double())
    }

    fn boolean(&mut self) -> Result<bool, Malformed> {
        self.scalar(|reader| reader.boolean())
    }

    fn blob(&mut self) -> Result<Bytes, Malformed> {
        self.scalar(|reader| reader.blob())
    }

    fn timestamp(&mut self) -> Result<Millis, Malformed> {
        self.scalar(|reader| reader.timestamp())
    }

    fn document(&mut self) -> Result<Document, Malformed> {
        self.scalar(|reader| reader.document())
    }

    fn structure(&mut self, read: ReadMember<'_>) -> Result<(), Malformed> {
        for (index, member) in self.shape.members.iter().enumerate() {
            let mut path = self.join(member.xml);
            if member.flattened && self.shapes[usize::from(member.shape)].kind == Kind::List {
                let name = self.shapes[usize::from(member.shape)].members[0].xml;
                if name != "member" && !self.form.reaches(&path) {
                    path = self.join(name);
                }
            }
            if !self.form.reaches(&path) {
                if member.required {
                    self.violations.missing(member.name);
                }
                continue;
            }
            self.violations.enter(Step::Member(member.name));
            read(index, &mut self.below(path, member))?;
            self.violations.leave();
        }
        Ok(())
    }

    fn list(&mut self, read: ReadElement<'_>) -> Result<(), Malformed> {
        let element = &self.shape.members[0];
        let mut base = self.elements();
        if !self.form.reaches(&format!("{base}.1")) {
            base = self.path.clone();
        }
        let mut length = 0;
        loop {
            let path = format!("{base}.{}", length + 1);
            if !self.form.reaches(&path) {
                break;
            }
            self.violations.enter(Step::Element(length));
            read(&mut self.below(path, element))?;
            self.violations.leave();
            length += 1;
        }
        if self.violations.bounds {
            self.violations.value(self.shape, "[]", violations::of_length(self.shape, length));
        }
        Ok(())
    }

    fn map(&mut self, read: ReadEntry<'_>) -> Result<(), Malformed> {
        let [keys, values] = self.shape.members else {
            return Err(Malformed("Expected map or null".to_owned()));
        };
        let base = if self.flattened { self.path.clone() } else { self.join("entry") };
        for number in 1.. {
            let Some(key) = self.form.get(&format!("{base}.{number}.{}", keys.xml)) else { break };
            let key = key.to_owned();
            let path = format!("{base}.{number}.{}", values.xml);
            self.violations.enter(Step::Entry(key.clone()));
            read(key, &mut self.below(path, values))?;
            self.violations.leave();
        }
        Ok(())
    }
}
