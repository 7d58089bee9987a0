//! Rows of the tables, before their differences: `Shape { max: Some(64), ..shape("Name", …) }`.

use wire::schema::{Kind, Location, Member, Operation, Shape};

/// An operation of a protocol without REST, with no input and no output.
pub(crate) const fn operation(name: &'static str) -> Operation {
    Operation {
        name,
        method: "POST",
        uri: "/",
        status: 200,
        input: None,
        output: None,
        result_wrapper: "",
        errors: &[],
    }
}

/// A shape without bounds and members.
pub(crate) const fn shape(name: &'static str, kind: Kind) -> Shape {
    Shape {
        name,
        kind,
        min: None,
        max: None,
        pattern: None,
        regex: None,
        enums: &[],
        members: &[],
        error: None,
        sensitive: false,
        timestamp_format: "",
    }
}

/// An optional member of the body that has the model's name everywhere.
pub(crate) const fn member(name: &'static str, shape: u16) -> Member {
    Member {
        name,
        wire: name,
        xml: name,
        shape,
        location: Location::Body,
        required: false,
        flattened: false,
    }
}
