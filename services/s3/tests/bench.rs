//! A whole S3 in a temporary folder.

use std::sync::Arc;

use bus::{Bus, Directory};
use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Full};
use kit::{AccountId, Caller, Clock, PrincipalKind, Region};
use s3::{Body, Front, FrontSettings, S3, Secrets};
use store::{DataFolder, Store};

/// An S3 and who asks it.
pub(crate) struct Bench {
    pub(crate) front: Front,
    pub(crate) bus: Arc<Bus>,
    pub(crate) store: Store,
    pub(crate) clock: Clock,
    pub(crate) caller: Caller,
    pub(crate) folder: tempfile::TempDir,
}

/// An answer, read to its end.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    /// A header's text, or an empty one.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The text of the first element of this name, or an empty one.
    pub(crate) fn element(&self, name: &str) -> String {
        self.elements(name).into_iter().next().unwrap_or_default()
    }

    /// The texts of all elements of this name.
    pub(crate) fn elements(&self, name: &str) -> Vec<String> {
        let text = std::str::from_utf8(&self.body).unwrap();
        let (open, close) = (format!("<{name}>"), format!("</{name}>"));
        let parts = text.split(&open).skip(1);
        parts.map(|part| part.split(&close).next().unwrap().to_owned()).collect()
    }

    /// Panics with the answer unless it has this status.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Answer {
        assert_eq!(self.status, status, "{}", String::from_utf8_lossy(&self.body));
        self
    }

    /// Panics with the answer unless it is this error.
    #[track_caller]
    pub(crate) fn refused(self, status: u16, code: &str) -> Answer {
        let answer = self.expect(status);
        assert_eq!(answer.element("Code"), code, "{}", String::from_utf8_lossy(&answer.body));
        answer
    }
}

/// No access key is known.
struct NoSecrets;

impl Secrets for NoSecrets {
    fn secret(&self, _access_key: &str, _session_token: Option<&str>) -> Option<String> {
        None
    }
}

impl Bench {
    pub(crate) async fn new() -> Bench {
        Bench::open(tempfile::tempdir().unwrap()).await
    }

    /// With a bucket named `bucket`.
    pub(crate) async fn with_bucket() -> Bench {
        let bench = Bench::new().await;
        bench.send("PUT", "/bucket", &[], "").await.expect(200);
        bench
    }

    /// With a bucket named `bucket`, where signatures are enforced and nobody has signed.
    pub(crate) async fn closed_to_nobody() -> Bench {
        let bench = Bench::with_bucket().await;
        let Bench { front, bus, store, folder, .. } = bench;
        drop((front, bus, store));
        let mut bench = Bench::open_with(folder, Some(Arc::new(NoSecrets))).await;
        bench.caller.principal.kind = PrincipalKind::Anonymous;
        bench
    }

    pub(crate) async fn open(folder: tempfile::TempDir) -> Bench {
        Bench::open_with(folder, None).await
    }

    async fn open_with(folder: tempfile::TempDir, secrets: Option<Arc<dyn Secrets>>) -> Bench {
        let data = DataFolder::open(folder.path()).unwrap();
        let store = Store::open(&data).unwrap();
        let clock = Clock::default();
        let bus = Bus::new(store.clone(), clock.clone(), Arc::new(Directory::default()));
        let s3 = S3::open(store.clone(), bus.clone(), clock.clone()).await.unwrap();
        let domains = vec!["localhost".to_owned()];
        let front = s3.http(FrontSettings { domains, secrets, authority: None });
        let caller = Caller::internal(AccountId::DEFAULT, Region::default(), clock.now());
        Bench { front, bus, store, clock, caller, folder }
    }

    /// Stops it and opens it again on the same folder.
    pub(crate) async fn reopen(self) -> Bench {
        let Bench { front, bus, store, folder, .. } = self;
        drop((front, bus, store));
        Bench::open(folder).await
    }

    pub(crate) async fn send(
        &self,
        method: &str,
        uri: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Answer {
        let response = self.ask(method, uri, headers, body).await;
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Answer { status: parts.status.as_u16(), headers: parts.headers, body }
    }

    /// An answer whose body is still to be read.
    pub(crate) async fn ask(
        &self,
        method: &str,
        uri: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Response<Body> {
        let body = body.into();
        let mut request = Request::builder().method(method).uri(uri);
        if matches!(method, "PUT" | "POST") {
            request = request.header("content-length", body.len());
        }
        if !headers.iter().any(|header| header.0 == "host") {
            request = request.header("host", "localhost:4566");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(body)).unwrap();
        let caller = Caller { now: self.clock.now(), ..self.caller.clone() };
        self.front.call(caller, request).await
    }

    pub(crate) async fn get(&self, uri: &str) -> Answer {
        self.send("GET", uri, &[], "").await
    }

    pub(crate) async fn put(&self, uri: &str, body: impl Into<Bytes>) -> Answer {
        self.send("PUT", uri, &[], body).await
    }

    pub(crate) async fn delete(&self, uri: &str) -> Answer {
        self.send("DELETE", uri, &[], "").await
    }

    /// Files of object bytes.
    pub(crate) fn blob_count(&self) -> usize {
        let folders = std::fs::read_dir(self.folder.path().join("blobs")).unwrap();
        let files =
            folders.map(|folder| std::fs::read_dir(folder.unwrap().path()).unwrap().count());
        files.sum()
    }
}
