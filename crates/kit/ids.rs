//! Random identifiers in the forms that AWS uses.

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
    from_alphabet(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", length)
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
