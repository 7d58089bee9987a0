//! AWS protocols: HTTP requests become typed inputs, typed outputs and errors become answers.
//! Services never see headers, JSON or XML.
//!
//! Read in this order: `schema` (the tables), `value` (how shapes are read and written), `table`
//! (a service's operations), `fault` (errors), then `codec/` (one file per protocol), `sigv4`,
//! `route` and `front` (the way of a request).

pub mod schema;

mod fault;
mod table;
mod value;

pub use fault::{Fault, ServiceError};
pub use table::{Access, Reply, Table};
pub use value::*;
