//! The tables that the code generator writes: services, operations, shapes. Plain static data.

/// One service's model.
#[derive(Debug)]
pub struct Service {
    /// The word a user types after `aws`; the folder under `services/`.
    pub name: &'static str,
    /// The names that a SigV4 credential scope may carry for it.
    pub scopes: &'static [&'static str],
    /// `AmazonSQS` in `X-Amz-Target: AmazonSQS.SendMessage`; empty if the protocol has none.
    pub target_prefix: &'static str,
    /// `1.0` or `1.1`, for `Content-Type: application/x-amz-json-1.x`.
    pub json_version: &'static str,
    /// `2012-11-05`; the `Version` of query requests.
    pub api_version: &'static str,
    /// Of XML answers; empty if there are none.
    pub xml_namespace: &'static str,
    /// JSON errors also carry the code that the query protocol had (`x-amzn-query-error`).
    pub query_compatible: bool,
    /// The protocols it speaks; the first is the one that today's SDKs use.
    pub protocols: &'static [Protocol],
    /// How violations of the model's bounds are worded.
    pub validation: Validation,
    /// Every operation of the model, in the model's order.
    pub operations: &'static [Operation],
    /// The shapes reachable from the operations.
    pub shapes: &'static [Shape],
}

/// How requests and answers are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// `awsJson1_0`, `awsJson1_1`.
    Json,
    /// `awsQuery`: form in, XML out.
    Query,
    /// `restJson1`.
    RestJson,
}

/// How a service words violations of its model's bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Validation {
    /// `N validation errors detected: Value '…' at '…' failed to satisfy constraint: …`, under
    /// this error code: `ValidationException`, `ValidationError`, `InvalidParameterException`.
    Coral {
        /// The error's code.
        code: &'static str,
    },
    /// The service checks bounds itself (SQS, S3): only presence is checked here.
    Own,
}

/// One operation.
#[derive(Debug)]
pub struct Operation {
    /// `SendMessage`.
    pub name: &'static str,
    /// HTTP method.
    pub method: &'static str,
    /// `/2015-03-31/functions/{FunctionName}`, with labels; `/` outside REST.
    pub uri: &'static str,
    /// The status of success.
    pub status: u16,
    /// Index of the input's shape.
    pub input: Option<u16>,
    /// Index of the output's shape.
    pub output: Option<u16>,
    /// `SendMessageResult` around query answers; empty if there is none.
    pub result_wrapper: &'static str,
    /// Indexes of the errors it declares.
    pub errors: &'static [u16],
}

/// One shape.
#[derive(Debug)]
pub struct Shape {
    /// The model's name.
    pub name: &'static str,
    /// What it is.
    pub kind: Kind,
    /// Least length, size or value.
    pub min: Option<i64>,
    /// Greatest length, size or value.
    pub max: Option<i64>,
    /// Regular expression that the whole text must match, as AWS words it.
    pub pattern: Option<&'static str>,
    /// The pattern in Rust's syntax, where that is another.
    pub regex: Option<&'static str>,
    /// Allowed texts of an enumeration.
    pub enums: &'static [&'static str],
    /// Fields; for a list the element; for a map key and value.
    pub members: &'static [Member],
    /// Set for exceptions.
    pub error: Option<ErrorShape>,
    /// Values are not repeated in messages and logs.
    pub sensitive: bool,
    /// `iso8601`, `unixTimestamp`, `rfc822`, or empty for the protocol's own.
    pub timestamp_format: &'static str,
}

/// The kinds of shapes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)] // The words of the model.
pub enum Kind {
    Structure,
    Union,
    List,
    Map,
    String,
    Integer,
    Long,
    Boolean,
    Double,
    Float,
    Blob,
    Timestamp,
    /// Free-form JSON.
    Document,
}

/// A member of a shape.
#[derive(Debug)]
pub struct Member {
    /// The model's name.
    pub name: &'static str,
    /// Its name in JSON, headers, query strings.
    pub wire: &'static str,
    /// Its name in the query protocol and in XML.
    pub xml: &'static str,
    /// Index of its shape.
    pub shape: u16,
    /// Where it travels.
    pub location: Location,
    /// Must be there.
    pub required: bool,
    /// XML lists and maps without a wrapping element.
    pub flattened: bool,
}

/// Where a member travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Location {
    /// In the body's document.
    Body,
    /// It is the body.
    Payload,
    /// A label of the path.
    Uri,
    /// The query string.
    Query,
    /// A header.
    Header,
    /// All headers with a prefix.
    Headers,
    /// The answer's status.
    Status,
}

/// What makes a shape an error.
#[derive(Debug)]
pub struct ErrorShape {
    /// The code on the wire, where it differs from the shape's name in the query protocol.
    pub query_code: &'static str,
    /// HTTP status.
    pub status: u16,
    /// The client is to blame.
    pub sender: bool,
}

impl Service {
    /// The operation of this name.
    pub fn operation(&self, name: &str) -> Option<usize> {
        self.operations.iter().position(|operation| operation.name == name)
    }

    /// The error shape of this name.
    pub fn error(&self, name: &str) -> Option<&'static ErrorShape> {
        self.shapes.iter().find(|shape| shape.name == name)?.error.as_ref()
    }
}
