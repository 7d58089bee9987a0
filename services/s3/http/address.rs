//! Where a request points: path style and virtual hosts become one, the path style.

use percent_encoding::percent_decode_str;
use wire::host_bucket;

/// A request's address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address {
    /// `/bucket/key` as sent, still encoded.
    pub(super) path: String,
    /// Decoded; empty for the service itself.
    pub(super) bucket: String,
    /// Decoded; empty for the bucket itself.
    pub(super) key: String,
    /// The host named the bucket.
    pub(super) virtual_host: bool,
}

impl Address {
    /// Out of a `Host` header and a path. `domains` are the base domains of this server.
    pub(super) fn parse(host: &str, path: &str, domains: &[String]) -> Address {
        let bucket = host_bucket(host, domains);
        let virtual_host = bucket.is_some();
        let path = match bucket {
            Some(bucket) => format!("/{bucket}{path}"),
            None => path.to_owned(),
        };
        let inside = path.strip_prefix('/').unwrap_or(&path);
        let (bucket, key) = inside.split_once('/').unwrap_or((inside, ""));
        let decode = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        Address { bucket: decode(bucket), key: decode(key), path, virtual_host }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_paths_name_the_same_objects() {
        let domains = ["localhost".to_owned(), "localhost.localstack.cloud".to_owned()];
        let parse = |host, path| {
            let address = Address::parse(host, path, &domains);
            (address.path, address.bucket, address.key)
        };
        let expected = ("/b.c/k%20l".to_owned(), "b.c".to_owned(), "k l".to_owned());
        for host in [
            "b.c.s3.localhost:4566",
            "b.c.s3.eu-west-1.localhost",
            "B.C.s3.us-east-1.localhost.localstack.cloud:4566",
        ] {
            assert_eq!(parse(host, "/k%20l"), expected, "{host}");
        }
        for host in
            ["localhost:4566", "127.0.0.1:4566", "s3.localhost", "s3.us-east-1.localhost", ""]
        {
            assert_eq!(parse(host, "/b.c/k%20l"), expected, "{host}");
        }
    }

    #[test]
    fn slashes_belong_to_the_key() {
        let address = Address::parse("", "/b//k/", &[]);
        assert_eq!((address.bucket.as_str(), address.key.as_str()), ("b", "/k/"));
    }
}
