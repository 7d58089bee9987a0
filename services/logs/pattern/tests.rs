//! The patterns of AWS's documentation, answers recorded from AWS, and texts that must be refused.

use proptest::prelude::*;

use super::*;

const TRAIL: &str = r#"{"eventType":"UpdateTrail","sourceIPAddress":"111.111.111.111",
    "arrayKey":["value","another value"],"objectList":[{"name":"a","id":1},{"name":"b","id":2}],
    "SomeObject":null,"cluster.name":"c","ThisFlag":true,"someInt":123,"someFloat":12.34,
    "someFloat2":12.0,"someObject":{},"someEscaped":"error \"message\""}"#;
const USERS: &str = r#"{"user":{"id":1,"email":"John.Stiles@example.com"},
    "users":[{"id":2,"email":"John.Doe@example.com"},{"id":3,"email":"Jane.Doe@example.com"}],
    "actions":["GET","PUT","DELETE"],"coordinates":[[0,1,2],[4,5,6],[7,8,9]]}"#;
const APACHE: &str =
    r#"127.0.0.1 Prod frank [10/Oct/2000:13:25:15 -0700] "GET /index.html HTTP/1.0" 404 1534"#;
const GET: &str = "INFO 09/25/2014 12:00:00 GET /service/resource/67 1200";
const POST: &str = "INFO 09/25/2014 12:00:01 POST /service/resource/67/part/111 1310";
const WARNING: &str = "WARNING 09/25/2014 12:00:02 Invalid user request";
const ERROR: &str = "ERROR 09/25/2014 12:00:02 Failed to process request";

fn matches(pattern: &str, message: &str) -> bool {
    let parsed = Pattern::parse(pattern);
    parsed.unwrap_or_else(|error| panic!("{pattern}: {error:?}")).matches(message)
}

fn check(cases: &[(&str, &str, bool)]) {
    for (pattern, message, expected) in cases {
        assert_eq!(matches(pattern, message), *expected, "{pattern} on {message}");
    }
}

#[test]
fn terms_match_as_documented() {
    check(&[
        ("", "anything", true),
        ("   ", "anything", true),
        (r#"" ""#, "no_blank", true),
        ("ERROR", "[ERROR 400] BAD REQUEST", true),
        ("ERROR", "[error 400] BAD REQUEST", false),
        ("ERROR ARGUMENTS", "[ERROR 419] MISSING ARGUMENTS", true),
        ("ERROR ARGUMENTS", "[ERROR 401] UNAUTHORIZED REQUEST", false),
        ("?ERROR ?ARGUMENTS", "[ERROR 401] UNAUTHORIZED REQUEST", true),
        ("?ERROR ?ARGUMENTS", "MISSING ARGUMENTS", true),
        ("?ERROR ?ARGUMENTS", "[INFO] REQUEST FAILED", false),
        ("?ERROR ?ARGUMENTS REQUEST", "[INFO] REQUEST FAILED", true),
        ("?ERROR -REQUEST", "nothing of it", true),
        (r#""INTERNAL SERVER ERROR""#, "[ERROR 500] INTERNAL SERVER ERROR", true),
        (r#""INTERNAL SERVER ERROR""#, "[ERROR 500] SERVER INTERNAL ERROR", false),
        ("ERROR -ARGUMENTS", "[ERROR 400] BAD REQUEST", true),
        ("ERROR -ARGUMENTS", "[ERROR 419] MISSING ARGUMENTS", false),
        ("-ERROR", "[INFO] fine", true),
        ("-ERROR", "[ERROR] bad", false),
        (r#"ERROR -"BAD REQUEST""#, "[ERROR 400] BAD REQUEST", false),
        (r#""[ERROR]""#, "02 May 2014 00:34:16,142 [ERROR] Unhanded exception", true),
        (r#""[ERROR]" Exception"#, "[ERROR] InvalidQueryException", true),
        (r#""[ERROR]" Exception"#, "[ERROR] Terminating the application", false),
        (r#""level\":\"error""#, r#"{"level":"error"}"#, true),
        (r#""\\n""#, r"line\n", true),
        ("%AUTHORIZED%", "[ERROR 401] UNAUTHORIZED REQUEST", true),
        ("%AUTHORIZED%", "[ERROR 400] BAD REQUEST", false),
    ]);
}

#[test]
fn regular_expressions_match_as_documented() {
    check(&[
        ("%^[hc]at%", "hat and cat", true),
        ("%^[hc]at%", "a hat", false),
        ("%[hc]at$%", "a hat", true),
        ("%[hc]at$%", "hats", false),
        ("%colou?r%", "color", true),
        ("%[abcx-z]%", "y", true),
        ("%^a{3,5}$%", "aaaa", true),
        ("%^a{3,5}$%", "aa", false),
        ("%^a{,2}$%", "aa", true),
        ("%^a{,2}$%", "aaa", false),
        ("%gra|ey%", "grey", true),
        ("%^starting|^initializing|^shutting down%", "shutting down now", true),
        ("%^starting|^initializing|^shutting down%", "skipping initializing", false),
        (r"%\[.\]%", "[7]", true),
        (r"%10\.10\.0\.1%", "10010,051", false),
        ("%10.10.0.1%", "10010,0,1", true),
        ("%ab*c%", "ac", true),
        ("%ab+c%", "ac", false),
        ("%.at%", "#at", true),
        (r"%\d%", "7", true),
        (r"%^\D$%", "7", false),
        (r"%a\sb%", "a\tb", true),
        (r"%^\w$%", "_", true),
        (r"%\x3A\x28%", ":(", true),
    ]);
}

#[test]
fn json_conditions_match_as_documented() {
    check(&[
        (r#"{ $.eventType = "UpdateTrail" }"#, TRAIL, true),
        ("{ $.eventType = UpdateTrail }", TRAIL, true),
        ("{ $.sourceIPAddress != 123.123.* }", TRAIL, true),
        (r#"{ $.arrayKey[0] = "value" }"#, TRAIL, true),
        (r#"{ $.arrayKey[1] = "value" }"#, TRAIL, false),
        ("{ $.eventType = %Trail% }", TRAIL, true),
        ("{ $.eventType != %Trail% }", TRAIL, false),
        ("{ $.arrayKey[*] = %val.{2}% }", TRAIL, true),
        (r"{ $.* = %111\.111\.111\.1[0-9]{1,2}% }", TRAIL, true),
        ("{ $.['cluster.name'] = \"c\" }", TRAIL, true),
        ("{ $['cluster.name'] = \"c\" }", TRAIL, true),
        ("{ $.SomeObject IS NULL }", TRAIL, true),
        ("{ $.eventType IS NULL }", TRAIL, false),
        ("{$.ThisFlag IS TRUE}", TRAIL, true),
        ("{$.ThisFlag IS FALSE}", TRAIL, false),
        ("{ $.SomeOtherObject NOT EXISTS         }", TRAIL, true),
        ("{ $.SomeObject NOT EXISTS }", TRAIL, false),
        ("{ $.objectList[1].id    = 2 }", TRAIL, true),
        ("{ $.objectList[*].id = 2 }", TRAIL, true),
        ("{ $.objectList[1].number = 2 }", TRAIL, false),
        (r#"{ $.ThisFlag[0] = "value" }"#, TRAIL, false),
        (r#"{ ($.user.id = 1) && ($.users[0].email = "John.Doe@example.com") }"#, USERS, true),
        (
            r#"{ $.user.email = "John.Stiles@example.com" || $.coordinates[0][1] = "nonmatch" && $.actions[2] = "nonmatch" }"#,
            USERS,
            true,
        ),
        (
            r#"{ ($.user.email = "John.Stiles@example.com" || $.coordinates[0][1] = "nonmatch") && $.actions[2] = "nonmatch" }"#,
            USERS,
            false,
        ),
        (
            r#"{ ($.user.id = 2 && $.users[0].email = "nonmatch") || $.actions[2] = "GET" }"#,
            USERS,
            false,
        ),
        ("{ $.coordinates[2][0] = 7 }", USERS, true),
        ("{ $.eventType = \"UpdateTrail\" }", "not JSON", false),
        ("{ $.a NOT EXISTS }", "not JSON", false),
    ]);
}

#[test]
fn json_values_compare_as_recorded_from_aws() {
    check(&[
        ("{ $.someInt > 1 }", TRAIL, true),
        ("{ $.someInt < 1000 }", TRAIL, true),
        ("{ $.someInt >= 123.0 }", TRAIL, true),
        ("{ $.someInt <= 122 }", TRAIL, false),
        ("{ $.someInt = 123.0 }", TRAIL, true),
        (r#"{ $.someInt = "123" }"#, TRAIL, true),
        (r#"{ $.someInt != "123.0" }"#, TRAIL, true),
        ("{ $.someInt = 1.23e+2 }", TRAIL, true),
        ("{ $.someInt != 1e-3 }", TRAIL, true),
        ("{ $.someFloat2 = 12 }", TRAIL, true),
        (r#"{ $.someFloat2 != "12" }"#, TRAIL, true),
        (r#"{ $.someFloat = "12.3*" }"#, TRAIL, true),
        ("{ $.someFloat = *.34 }", TRAIL, true),
        ("{ $.someInt = *3 }", TRAIL, true),
        ("{ $.someInt = * }", TRAIL, true),
        ("{ $.someInt != 1*3 }", TRAIL, false),
        ("{ $.sourceIPAddress = 11*1 }", TRAIL, false),
        ("{ $.sourceIPAddress != 111*111 }", TRAIL, true),
        ("{ $.sourceIPAddress = *111.111.111 }", TRAIL, false),
        ("{ $.sourceIPAddress = *.111.111.111 }", TRAIL, true),
        (r#"{ $.sourceIPAddress = "111*" }"#, TRAIL, true),
        ("{ $.eventType >= 123 }", TRAIL, false),
        (r#"{ $.notExisted != "UpdateTrail" }"#, TRAIL, false),
        (r#"{ $.someObject != "someString" }"#, TRAIL, false),
        (r#"{ $.arrayKey = "value" }"#, TRAIL, false),
        (r#"{ $.someEscaped = "error \"message\"" }"#, TRAIL, true),
    ]);
}

#[test]
fn fields_match_as_documented() {
    check(&[
        (
            r"[ip=%127\.0\.0\.[1-9]%, user, username, timestamp, request =*.html*, status_code = 4*, bytes]",
            APACHE,
            true,
        ),
        ("[..., request =*.html*, status_code = 4*, bytes]", APACHE, true),
        (
            "[ip, user, username, timestamp, request =*.html*, status_code = 404 || status_code = 410, bytes]",
            APACHE,
            true,
        ),
        ("[ip, user, username, timestamp, request, status_code = 410, bytes]", APACHE, false),
        ("[..., bytes > 1000]", APACHE, true),
        ("[..., bytes > 2000]", APACHE, false),
        ("[ip, user = Prod, ...]", APACHE, true),
        ("[ip, ..., status_code = 404, ]", APACHE, true),
        ("[ip, user, username, timestamp, request, status_code, bytes, more]", APACHE, false),
        ("[]", APACHE, true),
        ("[...]", APACHE, true),
        ("[w1=ERROR, w2]", ERROR, true),
        ("[w1=ERROR, w2]", GET, false),
        ("[w1=ERROR]", ERROR, false),
        ("[w1=ERROR || w1=WARNING, w2]", WARNING, true),
        ("[w1=ERROR || w1=WARNING, w2]", GET, false),
        ("[w1!=ERROR && w1!=WARNING, w2]", GET, true),
        ("[w1!=ERROR && w1!=WARNING, w2]", ERROR, false),
        (
            "[logLevel, date, time, method, url=%/service/resource/[0-9]+$%, response_time]",
            GET,
            true,
        ),
        (
            "[logLevel, date, time, method, url=%/service/resource/[0-9]+$%, response_time]",
            POST,
            false,
        ),
        (
            "[logLevel, date, time, method, url=%/service/resource/[0-9]+/part/[0-9]+$%, response_time]",
            POST,
            true,
        ),
        (
            "[logLevel, date, time, method, url=%/service/resource/[0-9]+/part/[0-9]+$%, response_time]",
            GET,
            false,
        ),
    ]);
}

#[test]
fn values_are_extracted_as_documented() {
    let extract = |pattern: &str, message: &str| Pattern::parse(pattern).unwrap().extract(message);
    let text = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    };
    let request = ("$request", "GET /index.html HTTP/1.0");
    let when = ("$4", "10/Oct/2000:13:25:15 -0700");
    let start = [("$1", "127.0.0.1"), ("$2", "Prod"), ("$3", "frank"), when];
    assert_eq!(
        extract("[..., request=*.html*, status_code=4*,]", APACHE),
        text(&[&start[..], &[request, ("$status_code", "404"), ("$7", "1534")]].concat())
    );
    assert_eq!(
        extract("[]", APACHE),
        text(&[&start[..], &[("$5", request.1), ("$6", "404"), ("$7", "1534")]].concat())
    );
    assert_eq!(extract("[w1=ERROR, rest]", "ERROR it broke\n")["$rest"], "it broke");
    assert_eq!(
        extract("{ $.eventType = \"UpdateTrail\" && $.objectList[1].id > 1 }", TRAIL),
        text(&[("$.eventType", "UpdateTrail"), ("$.objectList[1].id", "2")])
    );
    assert!(extract("ERROR", "ERROR").is_empty());
}

#[test]
fn what_is_no_pattern_is_refused() {
    let character = |text: &str| PatternError::Character(text.to_owned());
    let unclosed = |open, close| PatternError::Unclosed { open, close };
    let deep = format!("{{ {} $.a = 1 {} }}", "(".repeat(65), ")".repeat(65));
    for (pattern, error) in [
        ("?Status: timeout", character(":")),
        ("failed(1)", character("(")),
        ("a@b", character("@")),
        (r#"level\":\"error"#, character("\\")),
        (r#"{ $."detail-type" = "x" }"#, character("$.\"")),
        (r#"{ $.eventType > "UpdateTrail" }"#, character("\"UpdateTrail\"")),
        ("{ $.eventType >= UpdateTrail }", character("\"UpdateTrail\"")),
        ("%something!%", character("!")),
        ("%(a|b)%", character("(")),
        (r"%\(%", character("(")),
        (r#"{$.a="b" && $.c="d""#, unclosed('{', '}')),
        ("[a, b", unclosed('[', ']')),
        (r#""event": "x""#, PatternError::Invalid),
        ("\"open", PatternError::Invalid),
        ("%open", PatternError::Invalid),
        ("%a{2}{3}{1000}{1000}%", PatternError::Invalid),
        ("{ }", PatternError::Invalid),
        ("{ $.a }", PatternError::Invalid),
        ("{ $ = 1 }", PatternError::Invalid),
        ("{ $.a = 1 && }", PatternError::Invalid),
        ("{ $.a EXISTS }", PatternError::Invalid),
        ("{ $.a IS NOT NULL }", PatternError::Invalid),
        ("{ $.a[*].b[*] = 1 }", PatternError::Invalid),
        ("{ $.a.* = 1 || $.b.* = 1 || $.c.* = 1 || $.d.* = 1 }", PatternError::Invalid),
        ("{ $.a = %x% || $.b = %y% || $.c = %z% }", PatternError::Invalid),
        ("[..., a, ...]", PatternError::Invalid),
        ("[ip, status_code = 4* && bytes > 1000]", PatternError::Invalid),
        (&deep, PatternError::Invalid),
    ] {
        assert_eq!(Pattern::parse(pattern).unwrap_err(), error, "{pattern}");
    }
}

#[test]
fn large_messages_that_invite_looking_back_take_linear_time() {
    let size = 1 << 20;
    for (pattern, part) in [
        ("[a, ..., b = *x*x*x*y]", "[ "),
        ("[a, ..., b = *x*x*x*y]", "\"a \"b\" "),
        ("{ $.a = *a*a*a*a*b }", "a"),
        ("%a*a*a*a*a*b%", "a"),
        ("aab \"aaab\"", "a"),
    ] {
        let message = part.repeat(size / part.len());
        let document = format!("{{\"a\":{}}}", serde_json::Value::String(message.clone()));
        assert!(!matches(pattern, &message));
        assert!(!matches(pattern, &document));
    }
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(pattern in "\\PC{0,40}", message in "\\PC{0,60}") {
        try_all(&pattern, &message);
    }

    #[test]
    fn nothing_that_looks_like_a_pattern_makes_it_panic(
        parts in prop::collection::vec(prop::sample::select(PARTS), 0..24),
        message in prop::sample::select(&[TRAIL, USERS, APACHE, GET, "[\"", "é[ é\"", ""][..]),
    ) {
        let pattern = parts.concat();
        try_all(&pattern, message);
        try_all(&format!("{{{pattern}}}"), message);
        try_all(&format!("[{pattern}]"), message);
    }
}

const PARTS: &[&str] = &[
    "$", ".", "a", "[", "]", "*", "0", "'", "\"", " ", "=", "!=", ">", "<=", "&&", "||", "(", ")",
    "%", "IS ", "NULL", "NOT ", "EXISTS", "...", ",", "-", "?", "\\", "é", "1e3", "{", "}",
];

fn try_all(pattern: &str, message: &str) {
    if let Ok(pattern) = Pattern::parse(pattern)
        && pattern.matches(message)
    {
        pattern.extract(message);
    }
}
