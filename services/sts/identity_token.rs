//! Tokens of OpenID Connect providers: what they claim, and whether that holds.
//!
//! Source: RFC 7519, and "Passing session tags using AssumeRoleWithWebIdentity" of the IAM user guide
//! for the claims that are AWS's.

use std::collections::BTreeMap;

use jsonwebtoken::{
    Algorithm, DecodingKey, Header, TokenData, Validation, dangerous, decode, decode_header,
    jwk::{Jwk, JwkSet},
};
use kit::Millis;
use serde::Deserialize;

use crate::Error;

/// Signatures by private keys only: whoever can check others could make them, too.
const ALGORITHMS: [Algorithm; 5] =
    [Algorithm::RS256, Algorithm::RS384, Algorithm::RS512, Algorithm::ES256, Algorithm::ES384];
/// How far the clocks of issuers may go before ours.
const SKEW_SECONDS: u64 = 300;

/// What a token says.
#[derive(Debug, Deserialize)]
pub(crate) struct Claims {
    pub(crate) sub: Option<String>,
    aud: Option<Listed>,
    /// For whom it was issued, where that is not the audience.
    azp: Option<String>,
    exp: Option<f64>,
    iat: Option<f64>,
    nbf: Option<f64>,
    amr: Option<Listed>,
    #[serde(rename = "https://aws.amazon.com/tags", default)]
    pub(crate) tags: ClaimedTags,
    #[serde(rename = "https://aws.amazon.com/source_identity")]
    pub(crate) source_identity: Option<String>,
}

/// Session tags in a token.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct ClaimedTags {
    /// Each with one value.
    #[serde(default)]
    pub(crate) principal_tags: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    pub(crate) transitive_tag_keys: Vec<String>,
}

/// One text or several.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum Listed {
    One(String),
    Many(Vec<String>),
}

impl Listed {
    fn texts(&self) -> &[String] {
        match self {
            Listed::One(text) => std::slice::from_ref(text),
            Listed::Many(texts) => texts,
        }
    }
}

/// Who a token says it is from. Nothing of it is proved yet.
pub(crate) fn issuer(token: &str) -> Result<String, Error> {
    #[derive(Deserialize)]
    struct Issued {
        iss: String,
    }
    let token: TokenData<Issued> = dangerous::insecure_decode(token).map_err(|_| Error::NoToken)?;
    Ok(token.claims.iss)
}

/// The claims of a token that one of these keys has signed.
pub(crate) fn verified(token: &str, keys: &JwkSet) -> Result<Claims, Error> {
    let header = decode_header(token).map_err(|_| Error::NoToken)?;
    if !ALGORITHMS.contains(&header.alg) {
        return Err(Error::BadSignature);
    }
    let key = key(&header, keys).ok_or(Error::NoVerificationKey)?;
    let key = DecodingKey::from_jwk(key).map_err(|_| Error::NoVerificationKey)?;
    let mut signature_only = Validation::new(header.alg);
    // Times and audience are checked here, by the clock that requests are checked by.
    signature_only.required_spec_claims.clear();
    signature_only.validate_exp = false;
    signature_only.validate_aud = false;
    let token: TokenData<Claims> =
        decode(token, &key, &signature_only).map_err(|_| Error::BadSignature)?;
    Ok(token.claims)
}

/// The key that a token names, or the only one that there is.
fn key<'a>(header: &Header, keys: &'a JwkSet) -> Option<&'a Jwk> {
    match &header.kid {
        Some(id) => keys.find(id),
        None => keys.keys.first().filter(|_| keys.keys.len() == 1),
    }
}

impl Claims {
    /// Checks that the token holds now, for one of these audiences.
    pub(crate) fn check(&self, client_ids: &[String], now: Millis) -> Result<(), Error> {
        let expiry = seconds(self.exp).ok_or(Error::MissingClaim("exp"))?;
        let issued = seconds(self.iat).ok_or(Error::MissingClaim("iat"))?;
        let now = now.seconds();
        if self.sub.as_ref().is_none_or(String::is_empty) {
            return Err(Error::MissingClaim("sub"));
        }
        let audience = self.aud.as_ref().ok_or(Error::MissingClaim("aud"))?;
        if now >= expiry {
            return Err(Error::TokenExpired { now, expiry });
        }
        if issued.max(seconds(self.nbf).unwrap_or(0)) > now + SKEW_SECONDS {
            return Err(Error::TokenNotYetValid);
        }
        let mut audiences = audience.texts().iter().chain(&self.azp);
        if !audiences.any(|it| client_ids.contains(it)) {
            return Err(Error::WrongAudience);
        }
        Ok(())
    }

    /// Whom the token is for: the party it was issued to, where it names one.
    pub(crate) fn audience(&self) -> &str {
        let audience = self.aud.as_ref().and_then(|it| it.texts().first());
        self.azp.as_ref().or(audience).map_or("", String::as_str)
    }

    /// What the token says of a provider's condition keys.
    pub(crate) fn keys(&self, provider: &str) -> Vec<(String, Vec<String>)> {
        let list = |listed: &Option<Listed>| listed.as_ref().map(|it| it.texts().to_vec());
        let all = [
            ("sub", self.sub.clone().map(|sub| vec![sub])),
            ("aud", self.azp.clone().map(|azp| vec![azp]).or_else(|| list(&self.aud))),
            ("oaud", self.azp.as_ref().and_then(|_| list(&self.aud))),
            ("amr", list(&self.amr)),
        ];
        let told = all.into_iter().filter_map(|(claim, values)| {
            values.map(|values| (format!("{provider}:{claim}"), values))
        });
        told.collect()
    }
}

/// Seconds since the epoch; what is before it is no time of a token.
fn seconds(claim: Option<f64>) -> Option<u64> {
    claim.filter(|it| it.is_finite() && *it >= 0.0).map(|it| it as u64)
}

#[cfg(test)]
mod tests {
    use base64::{Engine, engine::general_purpose::STANDARD};
    use jsonwebtoken::EncodingKey;

    use super::*;

    fn claims(json: &str) -> Claims {
        serde_json::from_str(json).unwrap()
    }

    fn checked(json: &str) -> Result<(), Error> {
        claims(json).check(&["app".to_owned()], Millis(1_000_000))
    }

    #[test]
    fn a_token_holds_for_its_audience_until_it_expires() {
        let good = r#"{"iss":"i","sub":"s","aud":"app","iat":900,"exp":1001}"#;
        assert!(checked(good).is_ok());
        assert!(checked(&good.replace(r#""app""#, r#"["x","app"]"#)).is_ok());
        assert!(checked(&good.replace(r#""aud":"app""#, r#""aud":"x","azp":"app""#)).is_ok());
        let expired = Err(Error::TokenExpired { now: 1000, expiry: 1000 });
        assert_eq!(checked(&good.replace("1001", "1000")), expired);
        assert_eq!(checked(&good.replace("900", "1301")), Err(Error::TokenNotYetValid));
        assert_eq!(checked(&good.replace("app", "other")), Err(Error::WrongAudience));
        assert_eq!(checked(&good.replace("sub", "x")), Err(Error::MissingClaim("sub")));
        assert_eq!(checked(&good.replace("exp", "x")), Err(Error::MissingClaim("exp")));
    }

    #[test]
    fn the_party_that_a_token_was_issued_to_is_its_audience() {
        let told = claims(r#"{"iss":"i","sub":"s","aud":"a","azp":"p","amr":["m"]}"#).keys("id.x");
        let pair = |key: &str, value: &str| (key.to_owned(), vec![value.to_owned()]);
        assert_eq!(
            told,
            [
                pair("id.x:sub", "s"),
                pair("id.x:aud", "p"),
                pair("id.x:oaud", "a"),
                pair("id.x:amr", "m")
            ]
        );
    }

    #[test]
    fn what_is_no_token_has_no_issuer() {
        assert_eq!(issuer("not a token"), Err(Error::NoToken));
        assert_eq!(verified("a.b.c", &JwkSet::default()).unwrap_err(), Error::NoToken);
    }

    /// A P-256 key for tests, in PKCS #8, and its public half.
    const PRIVATE: &str = "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgm1dfqfiKeijRUGHPvoKT4JME8NG/dSAqZGQP52C6fzyhRANCAARst6ea+iVOfz2pCwRZ0XbfoOfj7gdYU4HPOkWN0sOnAOLwAJYLzYACBozsbOhqi74yl/jUT2Hsf3LTN5BmEBUP";
    const PUBLIC: &str = r#"{"keys":[{"kid":"k","kty":"EC","crv":"P-256","x":"bLenmvolTn89qQsEWdF236Dn4-4HWFOBzzpFjdLDpwA","y":"4vAAlgvNgAIGjOxs6GqLvjKX-NRPYex_ctM3kGYQFQ8"}]}"#;

    fn signed(algorithm: Algorithm, kid: Option<&str>, key: &EncodingKey) -> String {
        let mut header = Header::new(algorithm);
        header.kid = kid.map(str::to_owned);
        let claims = serde_json::json!({"iss": "i", "sub": "s", "aud": "app"});
        jsonwebtoken::encode(&header, &claims, key).unwrap()
    }

    #[test]
    fn only_a_key_of_the_issuer_signs() {
        let keys: JwkSet = serde_json::from_str(PUBLIC).unwrap();
        let key = EncodingKey::from_ec_der(&STANDARD.decode(PRIVATE).unwrap());
        let good = signed(Algorithm::ES256, Some("k"), &key);
        assert_eq!(issuer(&good), Ok("i".to_owned()));
        assert_eq!(verified(&good, &keys).unwrap().sub.as_deref(), Some("s"));
        assert!(verified(&signed(Algorithm::ES256, None, &key), &keys).is_ok());
        let other = signed(Algorithm::ES256, Some("x"), &key);
        assert_eq!(verified(&other, &keys).unwrap_err(), Error::NoVerificationKey);
        let (start, end) = good.rsplit_once('.').unwrap();
        let forged =
            format!("{start}.{}{}", if end.starts_with('A') { "B" } else { "A" }, &end[1..]);
        assert_eq!(verified(&forged, &keys).unwrap_err(), Error::BadSignature);
        // The public key is no secret that signs.
        let secret = EncodingKey::from_secret(PUBLIC.as_bytes());
        let confused = signed(Algorithm::HS256, Some("k"), &secret);
        assert_eq!(verified(&confused, &keys).unwrap_err(), Error::BadSignature);
    }
}
