//! The codecs over one small schema: in, out, and what they refuse.

use bytes::Bytes;
use http::HeaderMap;
use kit::Millis;

use crate::{
    Call, Document, Enumeration, Malformed, Map, Reader, Structure, Writer,
    codec::{
        json::{JsonReader, JsonWriter},
        query::{Form, QueryReader},
        rest::{RestParts, RestReader, RestRequest},
        xml::XmlWriter,
    },
    enumeration_value,
    schema::{Kind, Location, Member, Operation, Protocol, Service, Shape, Validation},
    structure_value,
    violations::Violations,
};

#[derive(Debug, Default, Clone, Copy, PartialEq)]
enum Color {
    #[default]
    Red,
    Blue,
}

impl Enumeration for Color {
    const NAMES: &'static [&'static str] = &["Red", "Blue"];
    const ALL: &'static [Color] = &[Color::Red, Color::Blue];

    fn index(self) -> usize {
        self as usize
    }
}
enumeration_value!(Color);

#[derive(Debug, Default, Clone, PartialEq)]
struct Thing {
    name: String,
    count: Option<i32>,
    color: Option<Color>,
    labels: Option<Map<String>>,
    names: Option<Vec<String>>,
    inner: Option<Vec<Inner>>,
    data: Option<Bytes>,
    at: Option<Millis>,
    free: Option<Document>,
    ratio: Option<f64>,
    on: Option<bool>,
}

#[derive(Debug, Default, Clone, PartialEq)]
struct Inner {
    key: String,
}

macro_rules! members {
    ($type:ident: $($index:literal $field:ident),+) => {
        impl Structure for $type {
            fn write(&self, writer: &mut dyn Writer) {
                $(writer.member($index, &self.$field);)+
            }

            fn read(&mut self, member: usize, reader: &mut dyn Reader) -> Result<(), Malformed> {
                match member {
                    $($index => self.$field = crate::Value::read(reader)?,)+
                    _ => {}
                }
                Ok(())
            }
        }
        structure_value!($type);
    };
}

members!(Thing: 0 name, 1 count, 2 color, 3 labels, 4 names, 5 inner, 6 data, 7 at, 8 free, 9 ratio, 10 on);
members!(Inner: 0 key);

const fn shape(name: &'static str, kind: Kind, members: &'static [Member]) -> Shape {
    Shape {
        name,
        kind,
        min: None,
        max: None,
        pattern: None,
        regex: None,
        enums: &[],
        members,
        error: None,
        sensitive: false,
        timestamp_format: "",
    }
}

const fn member(name: &'static str, shape: u16) -> Member {
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

static SHAPES: &[Shape] = &[
    shape(
        "Thing",
        Kind::Structure,
        &[
            Member { required: true, ..member("Name", 1) },
            member("Count", 2),
            member("Color", 3),
            Member { xml: "Label", flattened: true, ..member("Labels", 4) },
            member("Names", 5),
            Member { xml: "Entry", flattened: true, ..member("Inner", 6) },
            member("Data", 8),
            member("At", 9),
            member("Free", 10),
            member("Ratio", 11),
            member("On", 12),
        ],
    ),
    Shape {
        min: Some(1),
        max: Some(5),
        pattern: Some("[a-z]+"),
        ..shape("Name", Kind::String, &[])
    },
    Shape { min: Some(1), max: Some(10), ..shape("Count", Kind::Integer, &[]) },
    Shape { enums: &["Red", "Blue"], ..shape("Color", Kind::String, &[]) },
    shape("Labels", Kind::Map, &[member("key", 1), member("value", 1)]),
    Shape { max: Some(2), ..shape("Names", Kind::List, &[member("member", 1)]) },
    shape("Inners", Kind::List, &[member("member", 7)]),
    shape("Inner", Kind::Structure, &[Member { required: true, ..member("Key", 1) }]),
    shape("Data", Kind::Blob, &[]),
    shape("At", Kind::Timestamp, &[]),
    shape("Free", Kind::Document, &[]),
    shape("Ratio", Kind::Double, &[]),
    shape("On", Kind::Boolean, &[]),
    shape(
        "Rest",
        Kind::Structure,
        &[
            Member { location: Location::Uri, required: true, ..member("Name", 1) },
            Member { location: Location::Query, wire: "n", ..member("Count", 2) },
            Member { location: Location::Header, wire: "x-color", ..member("Color", 3) },
            member("Labels", 4),
            Member { location: Location::Query, wire: "names", ..member("Names", 5) },
            member("Inner", 6),
            Member { location: Location::Payload, ..member("Data", 8) },
            member("At", 9),
            member("Free", 10),
            member("Ratio", 11),
            member("On", 12),
        ],
    ),
];

fn read_json(text: &str) -> Result<Result<Thing, String>, Malformed> {
    let mut violations = Violations::new(true);
    let mut reader = JsonReader::new(text.as_bytes(), SHAPES, &SHAPES[0], &mut violations);
    let mut thing = Thing::default();
    reader.structure(&mut |member, reader| thing.read(member, reader))?;
    reader.end()?;
    Ok(match violations.message() {
        Some(message) => Err(message),
        None => Ok(thing),
    })
}

fn full() -> Thing {
    Thing {
        name: "abc".to_owned(),
        count: Some(3),
        color: Some(Color::Blue),
        labels: Some([("k".to_owned(), "v".to_owned())].into()),
        names: Some(vec!["x".to_owned(), "y".to_owned()]),
        inner: Some(vec![Inner { key: "in".to_owned() }]),
        data: Some(Bytes::from_static(b"\x00\xff")),
        at: Some(Millis(1_700_000_000_123)),
        free: Some(Document("{\"a\":[1]}".to_owned())),
        ratio: Some(0.5),
        on: Some(true),
    }
}

#[test]
fn what_json_writes_it_reads() {
    let mut writer = JsonWriter::new(SHAPES, &SHAPES[0]);
    writer.structure(&full());
    let text = String::from_utf8(writer.out).unwrap();
    assert_eq!(
        text,
        "{\"Name\":\"abc\",\"Count\":3,\"Color\":\"Blue\",\"Labels\":{\"k\":\"v\"},\
         \"Names\":[\"x\",\"y\"],\"Inner\":[{\"Key\":\"in\"}],\"Data\":\"AP8=\",\
         \"At\":1700000000.123,\"Free\":{\"a\":[1]},\"Ratio\":0.5,\"On\":true}"
    );
    assert_eq!(read_json(&text).unwrap().unwrap(), full());
}

#[test]
fn json_takes_unknown_members_nulls_escapes_and_white_space() {
    let text =
        " {\"Unknown\": {\"x\": [1, {\"y\": null}]}, \"Count\": null,\n\"Name\" : \"\\u0061b\" } ";
    let thing = read_json(text).unwrap().unwrap();
    assert_eq!((thing.name.as_str(), thing.count), ("ab", None));
}

#[test]
fn malformed_json_is_refused_and_never_panics() {
    let deep = "{\"Unknown\":".to_owned() + &"[".repeat(100_000);
    for text in [
        "",
        "{",
        "}",
        "[]",
        "nul",
        "{\"Name\"",
        "{\"Name\":",
        "{\"Name\":\"a\"",
        "{\"Name\":\"a\"}x",
        "{\"Name\":\"\\u12\"}",
        "{\"Name\":\"\\",
        "{\"Count\":-}",
        "{\"Name\":\"a\",}",
        "{\"Data\":\"*\"}",
        "{\"At\":1e300}",
        &deep,
    ] {
        assert!(read_json(text).is_err(), "{}", &text[..text.len().min(40)]);
    }
}

#[test]
fn wrong_types_are_named_as_aws_names_them() {
    let message = |text: &str| read_json(text).unwrap_err().0;
    assert_eq!(message("{\"Name\":1}"), "NUMBER_VALUE can not be converted to a String");
    assert_eq!(message("{\"Count\":\"1\"}"), "STRING_VALUE can not be converted to an Integer");
    assert_eq!(message("{\"Name\":{}}"), "Start of structure or map found where not expected.");
    assert_eq!(message("{\"Names\":\"x\"}"), "Expected list or null");
}

#[test]
fn violations_are_collected_and_worded_as_aws_words_them() {
    let message = |text: &str| read_json(text).unwrap().unwrap_err();
    assert_eq!(
        message("{}"),
        "1 validation error detected: Value null at 'name' failed to satisfy constraint: Member must not be null"
    );
    assert_eq!(
        message("{\"Name\":\"A\",\"Count\":11}"),
        "2 validation errors detected: Value 'A' at 'name' failed to satisfy constraint: Member must \
         satisfy regular expression pattern: [a-z]+; Value '11' at 'count' failed to satisfy \
         constraint: Member must have value less than or equal to 10"
    );
    assert_eq!(
        message("{\"Name\":\"a\",\"Color\":\"Green\"}"),
        "1 validation error detected: Value 'Green' at 'color' failed to satisfy constraint: Member \
         must satisfy enum value set: [Red, Blue]"
    );
    assert_eq!(
        message("{\"Name\":\"a\",\"Names\":[\"x\",\"toolong\"]}"),
        "1 validation error detected: Value '[x, toolong]' at 'names' failed to satisfy constraint: \
         Member must satisfy constraint: [Member must have length less than or equal to 5]"
    );
    assert_eq!(
        message("{\"Name\":\"a\",\"Inner\":[{\"Key\":\"a\"},{}]}"),
        "1 validation error detected: Value null at 'inner.2.member.key' failed to satisfy constraint: \
         Member must not be null"
    );
    assert_eq!(
        message("{\"Name\":\"a\",\"Labels\":{\"K\":\"v\"}}"),
        "1 validation error detected: Value '{K=v}' at 'labels' failed to satisfy constraint: Map keys \
         must satisfy constraint: [Member must satisfy regular expression pattern: [a-z]+]"
    );
}

#[test]
fn a_form_is_read_with_lists_of_any_length_and_maps() {
    let mut text =
        "Name=abc&Count=3&Color=Blue&Label.1.key=k&Label.1.value=v&On=true&Ratio=0.5&Data=AP8%3D\
                    &At=2023-11-14T22%3A13%3A20.123Z&Names.member.1=x&Names.member.2=y"
            .to_owned();
    for number in 1..=25 {
        text.push_str(&format!("&Entry.{number}.Key=in"));
    }
    let form = Form::parse(text.as_bytes()).unwrap();
    let mut violations = Violations::new(true);
    let mut reader = QueryReader::new(&form, SHAPES, &SHAPES[0], &mut violations);
    let mut thing = Thing::default();
    reader.structure(&mut |member, reader| thing.read(member, reader)).unwrap();
    assert_eq!(violations.message(), None);
    assert_eq!(thing.inner.as_ref().unwrap().len(), 25);
    let inner = Some(vec![Inner { key: "in".to_owned() }]);
    let wanted = Thing { free: None, inner: inner.clone(), ..full() };
    assert_eq!(Thing { inner, ..thing }, wanted);
}

#[test]
fn xml_repeats_flattened_members_and_escapes_text() {
    let thing = Thing {
        name: "<&>".to_owned(),
        names: Some(vec!["x".to_owned()]),
        inner: Some(vec![Inner { key: "a".to_owned() }, Inner { key: "b".to_owned() }]),
        labels: full().labels,
        ..Thing::default()
    };
    let mut writer = XmlWriter::new(SHAPES, &SHAPES[0]);
    thing.write(&mut writer);
    assert_eq!(
        String::from_utf8(writer.out).unwrap(),
        "<Name>&lt;&amp;&gt;</Name><Label><key>k</key><value>v</value></Label>\
         <Names><member>x</member></Names><Entry><Key>a</Key></Entry><Entry><Key>b</Key></Entry>"
    );
}

#[test]
fn rest_members_travel_in_path_query_headers_and_body() {
    let mut headers = HeaderMap::new();
    headers.insert("x-color", "Blue".parse().unwrap());
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let query = [pair("n", "3"), pair("names", "x"), pair("names", "y")];
    let body = Bytes::from_static(b"raw");
    let labels = [("Name", "abc".to_owned())];
    let mut violations = Violations::new(true);
    let request = RestRequest { labels: &labels, query: &query, headers: &headers, body: &body };
    let mut reader =
        RestReader { request, shapes: SHAPES, shape: &SHAPES[13], violations: &mut violations };
    let mut thing = Thing::default();
    let read = reader.structure(&mut |member, reader| thing.read(member, reader));
    // The payload is no JSON document: the members of the body are not looked for in it.
    assert!(read.is_ok(), "{read:?}");
    assert_eq!(
        (thing.name.as_str(), thing.count, thing.color),
        ("abc", Some(3), Some(Color::Blue))
    );
    assert_eq!(thing.names.unwrap(), ["x", "y"]);
    assert_eq!(thing.data.unwrap(), "raw");

    let answer = Thing { data: Some(Bytes::from_static(b"out")), ..full() };
    let parts = RestParts::of(&answer, SHAPES, &SHAPES[13]);
    assert_eq!(parts.headers["x-color"], "Blue");
    assert_eq!(parts.payload.as_deref(), Some(&b"out"[..]));
}

/// The generated form of an operation compiles against the traits.
struct PutThing;

impl Call for PutThing {
    type Input = Thing;
    type Output = Thing;
    const SERVICE: &'static Service = &SERVICE;
    const INDEX: usize = 0;
}

static SERVICE: Service = Service {
    name: "things",
    scopes: &["things"],
    target_prefix: "Things",
    json_version: "1.0",
    api_version: "2020-01-01",
    xml_namespace: "http://things/",
    query_compatible: false,
    protocols: &[Protocol::Json, Protocol::Query],
    validation: Validation::Coral { code: "ValidationException" },
    operations: &[Operation {
        name: "PutThing",
        method: "POST",
        uri: "/",
        status: 200,
        input: Some(0),
        output: Some(0),
        result_wrapper: "PutThingResult",
        errors: &[],
    }],
    shapes: SHAPES,
};

#[test]
fn an_operation_is_found_by_its_name() {
    assert_eq!(PutThing::SERVICE.operation("PutThing"), Some(PutThing::INDEX));
    assert_eq!(PutThing::SERVICE.operation("NoSuchThing"), None);
}

#[test]
fn a_number_that_does_not_fit_is_refused_and_not_cut() {
    assert!(read_json(r#"{"Name":"n","Count":4294967297}"#).is_err());
}

#[test]
fn a_form_has_a_greatest_number_of_fields() {
    assert!(Form::parse("a&".repeat(10_000).as_bytes()).is_ok());
    assert!(Form::parse("a&".repeat(10_001).as_bytes()).is_err());
}

#[test]
fn a_constraint_of_map_keys_is_told_once_however_many_keys_fail_it() {
    let message = read_json(r#"{"Name":"n","Labels":{"TOOLONG":"a","A":"a","B":"a"}}"#);
    let message = message.unwrap().unwrap_err();
    assert_eq!(message.matches("regular expression").count(), 1, "{message}");
}
