//! Event streams: `application/vnd.amazon.eventstream`, a body of messages that come one by one.
//!
//! A message is: its length, its headers' length, the CRC-32 of both; headers (name, type, value); a
//! payload; the CRC-32 of all before. Numbers are big-endian. Source: Smithy, "Amazon Event Stream
//! Specification".

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::{BufMut, Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::{Body as HttpBody, Frame};
use tokio::sync::mpsc;

use crate::{
    Body, Event, StreamingCall,
    codec::rest::RestParts,
    schema::{Location, Service, Shape},
};

/// Of a body of events.
pub(crate) const MEDIA_TYPE: &str = "application/vnd.amazon.eventstream";
/// A header's value is text.
const STRING: u8 = 7;
const CRC_BYTES: usize = 4;
/// Both lengths and their CRC.
const PRELUDE_BYTES: usize = 12;

/// The events of an operation as a body.
pub(crate) fn body<C: StreamingCall>(events: mpsc::Receiver<C::Event>) -> Body {
    Events { service: C::SERVICE, union: union(C::SERVICE, C::INDEX), events }.boxed_unsync()
}

/// The shape whose members are an operation's events.
fn union(service: &'static Service, operation: usize) -> &'static Shape {
    let output = service.operations[operation].output.map(usize::from);
    let members = output.map_or(&[][..], |output| service.shapes[output].members);
    let stream = members.iter().find(|member| member.location == Location::Payload);
    let stream = stream.expect("the generator writes streaming calls for outputs that have one");
    &service.shapes[usize::from(stream.shape)]
}

struct Events<E> {
    service: &'static Service,
    union: &'static Shape,
    events: mpsc::Receiver<E>,
}

impl<E: Event> HttpBody for Events<E> {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let (shapes, union) = (self.service.shapes, self.union);
        let next = self.events.poll_recv(context);
        next.map(|event| event.map(|event| Ok(Frame::data(encode(&event, shapes, union)))))
    }
}

fn encode(event: &dyn Event, shapes: &'static [Shape], union: &'static Shape) -> Bytes {
    let (index, value) = event.member();
    let member = &union.members[index];
    let parts = RestParts::of(value, shapes, &shapes[usize::from(member.shape)]);
    let content_type = match parts.payload {
        Some(_) => "application/octet-stream",
        None => "application/json",
    };
    let headers =
        [(":event-type", member.wire), (":content-type", content_type), (":message-type", "event")];
    message(&headers, &parts.body())
}

fn message(headers: &[(&str, &str)], payload: &[u8]) -> Bytes {
    let header_bytes: usize =
        headers.iter().map(|(name, value)| 1 + name.len() + 1 + 2 + value.len()).sum();
    let length = PRELUDE_BYTES + header_bytes + payload.len() + CRC_BYTES;
    let mut out = BytesMut::with_capacity(length);
    out.put_u32(length as u32);
    out.put_u32(header_bytes as u32);
    out.put_u32(crc32fast::hash(&out));
    for (name, value) in headers {
        out.put_u8(name.len() as u8);
        out.put_slice(name.as_bytes());
        out.put_u8(STRING);
        out.put_u16(value.len() as u16);
        out.put_slice(value.as_bytes());
    }
    out.put_slice(payload);
    out.put_u32(crc32fast::hash(&out));
    out.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_as_other_encoders_write_them() {
        // Computed from the specification with Python's `struct` and `zlib`.
        assert_eq!(hex::encode(message(&[], b"")), "000000100000000005c248eb7d98c8ff");
        assert_eq!(
            hex::encode(message(&[(":event-type", "A")], b"{}")),
            "0000002200000010c394b3690b3a6576656e742d74797065070001417b7ddb25c4e2"
        );
        // An answer of Lambda, as the tests of Kong's plugin for it keep one.
        let headers = [
            (":event-type", "PayloadChunk"),
            (":content-type", "application/octet-stream"),
            (":message-type", "event"),
        ];
        assert_eq!(
            hex::encode(message(&headers, b"Hello world ")),
            "000000760000005a980e72ec0b3a6576656e742d7479706507000c5061796c6f61644368756e6b0d3a636f\
             6e74656e742d747970650700186170706c69636174696f6e2f6f637465742d73747265616d0d3a6d657373\
             6167652d747970650700056576656e7448656c6c6f20776f726c642033971fd8"
        );
    }
}
