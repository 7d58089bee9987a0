//! AWS protocols: HTTP requests become typed inputs, typed outputs and errors become answers.
//! Services never see headers, JSON or XML.
//!
//! Read in this order: `schema` (the tables), `value` (how shapes are read and written), `table`
//! (a service's operations), `fault` (errors), then `codec/` (one file per protocol), `sigv4`,
//! `identify` and `route` (who and what), `front` (the way of a request), `function_url` (those that
//! go to functions), `server` (sockets).

pub mod schema;
pub mod sigv4;

mod answer;
mod codec;
mod fault;
mod front;
mod function_url;
mod host;
mod identify;
mod keys;
mod origin;
mod route;
mod server;
mod sigv2;
mod stray;
mod table;
mod value;
mod violations;

pub use answer::{Body, full, s3_fault};
pub use fault::{Fault, ServiceError};
pub use front::{DEFAULT_BODY_LIMIT_BYTES, Front, FrontParts, Raw};
pub use function_url::{FunctionUrls, Truncated, UrlAnswer, UrlName, UrlRequest, UrlResponse};
pub use host::host_bucket;
pub use identify::Auth;
pub use keys::{Key, KeyError, Keys};
pub use server::{serve, serve_connection};
pub use table::{Access, Answered, Need, Proof, Reply, Table};
pub use value::*;
