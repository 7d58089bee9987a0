//! Bucket policies: what is checked when one is stored.

use serde_json::Value;

use crate::{Error, limits};

/// Checks a policy document and tells whether it opens the bucket to everybody.
pub(crate) fn is_public(policy: &str) -> Result<bool, Error> {
    let malformed = |message: &str| Error::MalformedPolicy { message: message.to_owned() };
    if policy.len() > limits::POLICY_BYTES {
        return Err(malformed(
            "Normalized policy document exceeds the maximum allowed size of 20480 bytes.",
        ));
    }
    let document: Value = serde_json::from_str(policy)
        .ok()
        .filter(Value::is_object)
        .ok_or_else(|| malformed("Policies must be valid JSON and the first byte must be '{'"))?;
    let statements = match document.get("Statement") {
        Some(Value::Array(statements)) => statements.as_slice(),
        Some(statement @ Value::Object(_)) => std::slice::from_ref(statement),
        _ => return Err(malformed("Missing required field Statement")),
    };
    for statement in statements {
        for field in ["Effect", "Principal", "Action", "Resource"] {
            let present = [field.to_owned(), format!("Not{field}")];
            if present.iter().all(|name| statement.get(name).is_none()) {
                return Err(malformed(&format!("Missing required field {field}")));
            }
        }
    }
    Ok(statements.iter().any(opens_to_everybody))
}

/// S3 calls a policy public that allows everybody something under no condition.
fn opens_to_everybody(statement: &Value) -> bool {
    let is_any = |value: &Value| match value {
        Value::String(text) => text == "*",
        Value::Array(texts) => texts.iter().any(|text| text == "*"),
        _ => false,
    };
    let everybody = match statement.get("Principal") {
        Some(Value::Object(principals)) => principals.get("AWS").is_some_and(is_any),
        Some(principal) => is_any(principal),
        None => false,
    };
    statement.get("Effect").is_some_and(|effect| effect == "Allow")
        && everybody
        && statement.get("Condition").is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(principal: &str, condition: &str) -> String {
        format!(
            r#"{{"Version": "2012-10-17", "Statement": {{"Effect": "Allow", "Principal": {principal},
            "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*"{condition}}}}}"#
        )
    }

    #[test]
    fn everybody_without_a_condition_is_public() {
        assert_eq!(is_public(&policy(r#""*""#, "")), Ok(true));
        assert_eq!(is_public(&policy(r#"{"AWS": ["*"]}"#, "")), Ok(true));
        let condition = r#", "Condition": {"StringEquals": {"aws:SourceAccount": "1"}}"#;
        assert_eq!(is_public(&policy(r#""*""#, condition)), Ok(false));
        assert_eq!(is_public(&policy(r#"{"Service": "cloudtrail.amazonaws.com"}"#, "")), Ok(false));
    }

    #[test]
    fn what_is_no_policy_is_refused() {
        for text in ["", "[]", "{}", r#"{"Statement": [{"Effect": "Allow"}]}"#] {
            assert!(matches!(is_public(text), Err(Error::MalformedPolicy { .. })), "{text}");
        }
    }
}
