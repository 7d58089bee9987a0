//! The bytes of a version as a stream.

use std::{io, ops::Range};

use bytes::Bytes;
use futures::{Stream, StreamExt, TryStreamExt, stream};
use http_body::Frame;
use http_body_util::StreamBody;

use crate::{
    Error, S3,
    object::{Body, Manifest, Object},
    rows,
};

/// A piece of a version: bytes of one body.
struct Piece {
    body: Body,
    range: Range<u64>,
}

impl S3 {
    /// The bytes of a version in a range. `None` if they are gone: the version was replaced since
    /// its row was read.
    pub(crate) async fn bytes(
        &self,
        object: &Object,
        range: Range<u64>,
    ) -> Result<Option<s3s::Body>, Error> {
        if let Body::Inline(bytes) = &object.body {
            let slice = bytes.slice(range.start as usize..range.end as usize);
            return Ok(Some(slice.into()));
        }
        // Before the manifest is looked for: see `readers`.
        let reader = match &object.body {
            Body::Parts(id) => Some(self.readers.begin(self.store.blobs(), id)),
            _ => None,
        };
        let Some(pieces) = self.pieces(object, range).await? else { return Ok(None) };
        let mut pieces = pieces.into_iter();
        let Some(first) = pieces.next() else { return Ok(Some(s3s::Body::empty())) };
        let blobs = self.store.blobs().clone();
        let first = match read(blobs.clone(), first).await {
            Ok(first) => first,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::internal(&error)),
        };
        let rest = stream::iter(pieces).then(move |piece| read(blobs.clone(), piece)).try_flatten();
        let frames = first.chain(rest).map_ok(move |bytes| {
            // The reader ends with the stream.
            let _reading = &reader;
            Frame::data(bytes)
        });
        Ok(Some(s3s::Body::http_body_unsync(StreamBody::new(Box::pin(frames)))))
    }

    async fn pieces(
        &self,
        object: &Object,
        range: Range<u64>,
    ) -> Result<Option<Vec<Piece>>, Error> {
        let Body::Parts(id) = &object.body else {
            return Ok(Some(vec![Piece { body: object.body.clone(), range }]));
        };
        let Some(manifest) = self.manifest(id).await? else { return Ok(None) };
        let mut start = 0;
        let mut pieces = Vec::new();
        for part in manifest.parts {
            let end = start + part.size;
            let within = range.start.max(start)..range.end.min(end);
            if within.start < within.end {
                let range = within.start - start..within.end - start;
                pieces.push(Piece { body: part.body, range });
            }
            start = end;
        }
        Ok(Some(pieces))
    }

    /// The parts of a version that was uploaded in parts.
    pub(crate) async fn manifest(&self, id: &str) -> Result<Option<Manifest>, Error> {
        Ok(self.store.read(&rows::manifest(id)).await?)
    }
}

type Chunks = std::pin::Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>;

async fn read(blobs: store::Blobs, piece: Piece) -> io::Result<Chunks> {
    match piece.body {
        Body::Inline(bytes) => {
            let slice = bytes.slice(piece.range.start as usize..piece.range.end as usize);
            Ok(Box::pin(stream::iter([Ok(slice)])))
        }
        Body::Blob(id) => Ok(Box::pin(blobs.read(id, piece.range).await?)),
        Body::Parts(_) => Err(io::Error::other("a part of parts")),
    }
}
