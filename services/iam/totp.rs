//! Codes of one-time password devices: RFC 6238 with SHA-1, six digits and half minutes, which is what
//! AWS's virtual devices speak. Pure.

use hmac::{Hmac, Mac};
use kit::Millis;
use sha1::Sha1;

/// How long a code is shown.
const STEP_SECONDS: u64 = 30;
/// How many steps a device's clock may be off when it is asked for a code.
const TOLERANCE_STEPS: i64 = 1;
/// How many steps it may be off when it is made known, or synchronised: ten minutes.
const SEARCH_STEPS: i64 = 20;
/// Six digits.
const MODULUS: u32 = 1_000_000;

const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// The step of a moment, by a clock that is some steps off.
fn step(now: Millis, drift: i64) -> i64 {
    i64::try_from(now.seconds() / STEP_SECONDS).unwrap_or(i64::MAX).saturating_add(drift)
}

/// The code of a step.
fn code(seed: &[u8], step: i64) -> u32 {
    let mac = Hmac::<Sha1>::new_from_slice(seed).expect("keys of any length are good");
    let digest = mac.chain_update(step.to_be_bytes()).finalize().into_bytes();
    // RFC 4226, section 5.3: the last four bits say where the code begins.
    let at = usize::from(digest[19] & 0xf);
    let bytes = [digest[at] & 0x7f, digest[at + 1], digest[at + 2], digest[at + 3]];
    u32::from_be_bytes(bytes) % MODULUS
}

/// The step whose code this is, near now.
pub(crate) fn step_of(seed: &[u8], given: &str, now: Millis, drift: i64) -> Option<i64> {
    let given: u32 = given.parse().ok()?;
    let here = step(now, drift);
    let near = here - TOLERANCE_STEPS..=here + TOLERANCE_STEPS;
    near.into_iter().find(|step| code(seed, *step) == given)
}

/// How many steps a device's clock is off that shows two codes one after the other.
pub(crate) fn drift(seed: &[u8], first: &str, second: &str, now: Millis) -> Option<i64> {
    let (first, second): (u32, u32) = (first.parse().ok()?, second.parse().ok()?);
    let here = step(now, 0);
    let mut around = here - SEARCH_STEPS..=here + SEARCH_STEPS;
    let found = around.find(|it| code(seed, *it) == first && code(seed, it + 1) == second)?;
    // Who types the second code does so while it is shown.
    let drift = found + 1 - here;
    // A device that is right is so even if its codes are a little old, or early.
    Some(if drift.abs() <= TOLERANCE_STEPS { 0 } else { drift })
}

/// A seed in the letters of RFC 4648, without padding.
pub(crate) fn base32(seed: &[u8]) -> String {
    let bits = |at: usize| {
        let pair = u16::from_be_bytes([seed[at / 8], seed.get(at / 8 + 1).copied().unwrap_or(0)]);
        char::from(BASE32[usize::from(pair << (at % 8) >> 11)])
    };
    (0..seed.len() * 8).step_by(5).map(bits).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEED: &[u8] = b"12345678901234567890";

    /// RFC 6238, appendix B; the last six of its eight digits.
    #[test]
    fn codes_are_those_of_the_rfc() {
        for (seconds, expected) in [
            (59, 287_082),
            (1_111_111_109, 81_804),
            (1_111_111_111, 50_471),
            (1_234_567_890, 5_924),
            (2_000_000_000, 279_037),
            (20_000_000_000, 353_130),
        ] {
            assert_eq!(code(SEED, step(Millis(seconds * 1000), 0)), expected, "{seconds}");
        }
    }

    #[test]
    fn a_code_is_good_around_its_half_minute() {
        let at = |seconds: u64| step_of(SEED, "287082", Millis(seconds * 1000), 0);
        assert_eq!((at(59), at(30), at(29), at(60)), (Some(1), Some(1), Some(1), Some(1)));
        assert_eq!(at(90), None);
        assert_eq!(step_of(SEED, "letter", Millis(59_000), 0), None);
    }

    #[test]
    fn two_codes_in_a_row_tell_how_a_clock_goes() {
        let shown = |step: i64| format!("{:06}", code(SEED, step));
        let now = Millis(3_000_000);
        assert_eq!(drift(SEED, &shown(99), &shown(100), now), Some(0));
        assert_eq!(drift(SEED, &shown(105), &shown(106), now), Some(6));
        assert_eq!(drift(SEED, &shown(99), &shown(101), now), None);
        assert_eq!(drift(SEED, &shown(139), &shown(140), now), None);
        assert_eq!(step_of(SEED, &shown(106), now, 6), Some(106));
    }

    #[test]
    fn seeds_are_written_in_base32() {
        assert_eq!(base32(b"foobar"), "MZXW6YTBOI");
        assert_eq!(base32(SEED), "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
    }
}
