//! Keys: ordered tuples of texts and numbers, so that a prefix is a range.

/// A key under construction or done. Parts compare as tuples do: text parts end in `0x00 0x01`
/// (a zero byte inside becomes `0x00 0xff`), numbers are eight big-endian bytes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(Vec<u8>);

impl Key {
    /// Starts with the name of a table, `service/noun`: `sqs/message`.
    pub fn table(name: &str) -> Key {
        Key(Vec::with_capacity(64)).text(name)
    }

    /// Adds a text.
    #[must_use]
    pub fn text(self, part: &str) -> Key {
        self.bytes(part.as_bytes())
    }

    /// Adds bytes.
    #[must_use]
    pub fn bytes(mut self, part: &[u8]) -> Key {
        for byte in part {
            self.0.push(*byte);
            if *byte == 0 {
                self.0.push(0xff);
            }
        }
        self.0.extend([0, 1]);
        self
    }

    /// Adds a number.
    #[must_use]
    pub fn number(mut self, part: u64) -> Key {
        self.0.extend(part.to_be_bytes());
        self
    }

    /// Adds bytes that are the end of the key: a text's beginning, to find all that start with it.
    #[must_use]
    pub fn starting(mut self, part: &str) -> Key {
        for byte in part.bytes() {
            self.0.push(byte);
            if byte == 0 {
                self.0.push(0xff);
            }
        }
        self
    }

    /// The first key behind all that start with this one.
    #[must_use]
    pub fn end(mut self) -> Key {
        while let Some(last) = self.0.pop() {
            if last < 0xff {
                self.0.push(last + 1);
                break;
            }
        }
        self
    }

    /// The next text or byte part behind `prefix`, decoded; `None` if the key has no such part.
    pub fn text_after(&self, prefix: &Key) -> Option<String> {
        let rest = self.0.strip_prefix(prefix.0.as_slice())?;
        let mut part = Vec::new();
        let mut bytes = rest.iter();
        while let Some(byte) = bytes.next() {
            if *byte != 0 {
                part.push(*byte);
                continue;
            }
            match bytes.next() {
                Some(1) => return String::from_utf8(part).ok(),
                Some(0xff) => part.push(0),
                _ => return None,
            }
        }
        None
    }

    /// The bytes as stored.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// A key as it came out of an engine.
    pub fn from_stored(bytes: Vec<u8>) -> Key {
        Key(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_sort_as_their_parts_do() {
        let key = |a: &str, n| Key::table("t").text(a).number(n);
        assert!(key("a", 9) < key("a", 10));
        assert!(key("a", u64::MAX) < key("a\0", 0));
        assert!(key("a\0", 5) < key("ab", 0));
        assert!(key("ab", 0) < Key::table("t").starting("a").end());
        assert_eq!(key("a\0b", 1).text_after(&Key::table("t")).as_deref(), Some("a\0b"));
    }
}
