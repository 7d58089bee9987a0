//! `multipart/form-data` as browsers send it to S3: fields, then one file, which streams.

use bytes::{Bytes, BytesMut};
use futures::{StreamExt, stream};
use s3s::StdError;

use super::Source;
use crate::{Error, limits};

/// A form up to its file.
pub(super) struct Form {
    /// In the order of the form; names in lower case.
    pub(super) fields: Vec<(String, String)>,
    /// The name of the file on the user's machine.
    pub(super) filename: String,
    /// Its type as the browser says.
    pub(super) file_type: Option<String>,
    /// Its bytes.
    pub(super) file: Source,
}

/// Reads the fields of a form; the file stays in the stream.
pub(super) async fn read(source: Source, boundary: &str) -> Result<Form, Error> {
    let delimiter = format!("\r\n--{boundary}").into_bytes();
    // The first delimiter may be without a line break in front.
    let mut reader = Reader { source, buffer: BytesMut::from("\r\n"), delimiter };
    let mut fields = Vec::new();
    let mut bytes = 0;
    reader.until_delimiter(limits::FORM_BYTES).await?;
    loop {
        if reader.take(2).await? == "--" {
            return Err(malformed("POST requires exactly one file upload per request."));
        }
        let head = reader.head().await?;
        let name = parameter(&head, "name").unwrap_or_default().to_ascii_lowercase();
        if name == "file" {
            let filename = parameter(&head, "filename").unwrap_or_default();
            let file_type = line(&head, "content-type");
            return Ok(Form { fields, filename, file_type, file: reader.file() });
        }
        let value = reader.until_delimiter(limits::FORM_BYTES).await?;
        bytes += name.len() + value.len();
        if bytes > limits::FORM_BYTES {
            return Err(malformed(
                "Your POST request fields preceding the upload file were too large.",
            ));
        }
        fields.push((name, String::from_utf8_lossy(&value).into_owned()));
    }
}

struct Reader {
    source: Source,
    buffer: BytesMut,
    delimiter: Vec<u8>,
}

impl Reader {
    /// Bytes up to the next delimiter, which is taken too.
    async fn until_delimiter(&mut self, most: usize) -> Result<Bytes, Error> {
        loop {
            if let Some(at) = find(&self.buffer, &self.delimiter) {
                let value = self.buffer.split_to(at).freeze();
                let _ = self.buffer.split_to(self.delimiter.len());
                return Ok(value);
            }
            if self.buffer.len() > most + self.delimiter.len() {
                return Err(malformed(
                    "Your POST request fields preceding the upload file were too large.",
                ));
            }
            self.fill().await?;
        }
    }

    /// The headers of a part, without the empty line.
    async fn head(&mut self) -> Result<String, Error> {
        loop {
            if let Some(at) = find(&self.buffer, b"\r\n\r\n") {
                let head = self.buffer.split_to(at + 4);
                return Ok(String::from_utf8_lossy(&head).into_owned());
            }
            if self.buffer.len() > limits::FORM_BYTES {
                return Err(malformed("The body of your POST request is not well-formed."));
            }
            self.fill().await?;
        }
    }

    async fn take(&mut self, count: usize) -> Result<String, Error> {
        while self.buffer.len() < count {
            self.fill().await?;
        }
        Ok(String::from_utf8_lossy(&self.buffer.split_to(count)).into_owned())
    }

    async fn fill(&mut self) -> Result<(), Error> {
        match self.source.next().await {
            Some(Ok(bytes)) => {
                self.buffer.extend_from_slice(&bytes);
                Ok(())
            }
            Some(Err(error)) => Err(error
                .downcast::<Error>()
                .map_or_else(|_| Error::IncompleteBody {}, |error| *error)),
            None => Err(malformed("The body of your POST request is not well-formed.")),
        }
    }

    /// What follows up to the delimiter.
    fn file(self) -> Source {
        stream::try_unfold(Some(self), |reader| async move {
            let Some(mut reader) = reader else { return Ok(None) };
            loop {
                if let Some(at) = find(&reader.buffer, &reader.delimiter) {
                    let last = reader.buffer.split_to(at).freeze();
                    return Ok(Some((last, None)));
                }
                // The tail may be the beginning of the delimiter.
                let sure = reader.buffer.len().saturating_sub(reader.delimiter.len());
                if sure > 0 {
                    let bytes = reader.buffer.split_to(sure).freeze();
                    return Ok(Some((bytes, Some(reader))));
                }
                reader.fill().await.map_err(|error| Box::new(error) as StdError)?;
            }
        })
        .boxed()
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    let first = *wanted.first()?;
    let mut from = 0;
    while let Some(at) = bytes[from..].iter().position(|byte| *byte == first) {
        if bytes[from + at..].starts_with(wanted) {
            return Some(from + at);
        }
        from += at + 1;
    }
    None
}

/// The value of a header line.
fn line(head: &str, name: &str) -> Option<String> {
    let lines = head.split("\r\n").filter_map(|line| line.split_once(':'));
    let mut found = lines.filter(|line| line.0.trim().eq_ignore_ascii_case(name));
    found.next().map(|line| line.1.trim().to_owned())
}

/// A parameter of `Content-Disposition`, with or without quotes.
fn parameter(head: &str, name: &str) -> Option<String> {
    let disposition = line(head, "content-disposition")?;
    let mut found = disposition.split(';').filter_map(|part| part.trim().split_once('='));
    let (_, value) = found.find(|part| part.0.eq_ignore_ascii_case(name))?;
    Some(value.trim_matches('"').to_owned())
}

pub(super) fn malformed(message: &str) -> Error {
    Error::MalformedPOSTRequest { message: message.to_owned() }
}

#[cfg(test)]
mod tests {
    use futures::TryStreamExt;

    use super::*;

    #[tokio::test]
    async fn a_form_comes_apart_wherever_the_network_cuts_it() {
        let text = "--b\r\nContent-Disposition: form-data; name=\"Key\"\r\n\r\nk/${filename}\r\n\
                    --b\r\ncontent-disposition: form-data; name=\"file\"; filename=\"f.txt\"\r\n\
                    Content-Type: text/plain\r\n\r\nline\r\n--bx\r\n--b--\r\n";
        for step in [1, 2, 5, 1000] {
            let pieces: Vec<Result<Bytes, StdError>> = text
                .as_bytes()
                .chunks(step)
                .map(|piece| Ok(Bytes::copy_from_slice(piece)))
                .collect();
            let form = read(stream::iter(pieces).boxed(), "b").await.unwrap();
            assert_eq!(form.fields, [("key".to_owned(), "k/${filename}".to_owned())]);
            assert_eq!(
                (form.filename.as_str(), form.file_type.as_deref()),
                ("f.txt", Some("text/plain"))
            );
            let file: Vec<Bytes> = form.file.try_collect().await.unwrap();
            // A line that only begins like a delimiter ends the file, as in every form parser.
            assert_eq!(file.concat(), b"line");
        }
    }

    #[tokio::test]
    async fn a_form_without_a_file_is_refused() {
        let text = "--b\r\nContent-Disposition: form-data; name=\"key\"\r\n\r\nk\r\n--b--\r\n";
        let source = stream::iter([Ok(Bytes::from(text))]).boxed();
        assert!(matches!(read(source, "b").await, Err(Error::MalformedPOSTRequest { .. })));
    }
}
