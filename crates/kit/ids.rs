//! Random identifiers in the forms that AWS uses.

use crate::AccountId;

const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// Fills an array from the kernel's randomness.
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the kernel's randomness does not fail once it is seeded");
    bytes
}

/// A random (version 4) UUID: `8-4-4-4-12` lower-case hexadecimal digits.
pub fn uuid() -> String {
    let mut bytes: [u8; 16] = random();
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let mut text = String::with_capacity(36);
    for (index, byte) in bytes.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        push_hex(&mut text, *byte);
    }
    text
}

/// `2 * N` lower-case hexadecimal digits.
pub fn hex<const N: usize>() -> String {
    let mut text = String::with_capacity(2 * N);
    random::<N>().iter().for_each(|byte| push_hex(&mut text, *byte));
    text
}

/// `length` characters out of `A-Z2-7`, as in access key ids and IAM's unique ids.
pub fn base32(length: usize) -> String {
    from_alphabet(BASE32, length)
}

/// `prefix` and then `length` characters (at least ten) out of `A-Z2-7`, of which the first ten carry
/// the account as those of AWS do: 48 bits in base 32, a one, the account's number in 40 bits, and
/// 7 random ones.
pub fn of_account(prefix: &str, account: AccountId, length: usize) -> String {
    let number: u64 = account.as_str().parse().expect("an account id is twelve digits");
    let [high, low] = random::<2>();
    let bits = (1 << 47 | number << 7 | u64::from(high & 0x7f)) << 2 | u64::from(low & 3);
    let mut text = String::with_capacity(prefix.len() + length);
    text.push_str(prefix);
    text.extend((0..10).rev().map(|digit| BASE32[(bits >> (5 * digit)) as usize & 31] as char));
    text + &base32(length - 10)
}

/// The account that an id made by [`of_account`] (or by AWS) with a four-letter prefix carries.
pub fn account_of(id: &str) -> Option<AccountId> {
    let digits = id.as_bytes().get(4..14)?;
    let bits = digits.iter().try_fold(0_u64, |bits, letter| {
        let digit = BASE32.iter().position(|known| known == letter)?;
        Some(bits << 5 | digit as u64)
    })? >> 2;
    let number = bits >> 7 & 0xff_ffff_ffff;
    // Ids without the leading one are older than the scheme and carry no account.
    if bits >> 47 == 0 { None } else { format!("{number:012}").parse().ok() }
}

/// `length` characters out of `A-Za-z0-9+/`, as in secret access keys.
pub fn base64(length: usize) -> String {
    from_alphabet(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", length)
}

/// `length` lower-case letters and digits.
pub fn lower_alphanumeric(length: usize) -> String {
    from_alphabet(b"abcdefghijklmnopqrstuvwxyz234567", length)
}

fn from_alphabet(alphabet: &[u8], length: usize) -> String {
    // Alphabets have 32 or 64 letters: the remainder is unbiased.
    (0..length).map(|_| alphabet[random::<1>()[0] as usize % alphabet.len()] as char).collect()
}

fn push_hex(text: &mut String, byte: u8) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    text.push(DIGITS[usize::from(byte >> 4)] as char);
    text.push(DIGITS[usize::from(byte & 15)] as char);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_carries_its_account() {
        for text in ["000000000000", "123456789012", "999999999999"] {
            let account: AccountId = text.parse().unwrap();
            let id = of_account("AKIA", account, 16);
            assert_eq!((id.len(), account_of(&id)), (20, Some(account)), "{id}");
        }
        // A key of AWS's, with the account that `sts get-access-key-info` names for it.
        assert_eq!(account_of("ASIAQNZGKIQY56JQ7WML"), Some("029608264753".parse().unwrap()));
        assert_eq!(account_of("AKIAIOSFODNN7EXAMPLE"), None);
        assert_eq!(account_of("test"), None);
    }
}
