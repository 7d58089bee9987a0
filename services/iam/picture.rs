//! A text as a picture for cameras: a QR code in a PNG file.
//!
//! Source: "Portable Network Graphics (PNG) Specification", third edition, sections 5 and 11.

use std::io::Write;

use flate2::{Compression, Crc, write::ZlibEncoder};
use qrcodegen::{QrCode, QrCodeEcc};

/// Dots of the picture for one of the code.
const SCALE: usize = 4;
/// The white margin that a code needs around it, in dots of the code.
const MARGIN: usize = 4;
const SIGNATURE: [u8; 8] = [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n'];

/// The picture; `None` if the text is too long for one.
pub(crate) fn of(text: &str) -> Option<Vec<u8>> {
    let code = QrCode::encode_text(text, QrCodeEcc::Medium).ok()?;
    let size = usize::try_from(code.size()).ok()?;
    let side = (size + 2 * MARGIN) * SCALE;
    let is_white = |x: usize, y: usize| {
        let at = |dot: usize| i32::try_from(dot / SCALE).unwrap_or(0) - MARGIN as i32;
        !code.get_module(at(x), at(y))
    };
    let mut rows = Vec::new();
    for y in 0..side {
        // No filter; then a bit for each dot, the first one highest.
        rows.push(0);
        for start in (0..side).step_by(8) {
            let bits = (start..start + 8).map(|x| u8::from(x < side && is_white(x, y)));
            rows.push(bits.fold(0, |byte, bit| byte << 1 | bit));
        }
    }
    Some(png(u32::try_from(side).ok()?, &rows))
}

/// A square picture of one bit per dot.
fn png(side: u32, rows: &[u8]) -> Vec<u8> {
    let mut packed = ZlibEncoder::new(Vec::new(), Compression::default());
    packed.write_all(rows).expect("memory takes everything");
    let packed = packed.finish().expect("memory takes everything");
    let size = side.to_be_bytes();
    // One bit of grey; the methods of compression, filter and interlace are the only ones or none.
    let header = [&size[..], &size[..], &[1, 0, 0, 0, 0]].concat();
    [SIGNATURE.to_vec(), chunk(*b"IHDR", &header), chunk(*b"IDAT", &packed), chunk(*b"IEND", &[])]
        .concat()
}

fn chunk(kind: [u8; 4], content: &[u8]) -> Vec<u8> {
    let mut sum = Crc::new();
    sum.update(&kind);
    sum.update(content);
    let length = u32::try_from(content.len()).unwrap_or(0).to_be_bytes();
    [&length[..], &kind, content, &sum.sum().to_be_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_becomes_a_picture() {
        let png = of("otpauth://totp/x?secret=GEZDGNBV").unwrap();
        assert!(png.starts_with(&SIGNATURE));
        assert_eq!(&png[12..16], b"IHDR");
        // Cut from the well-known end of every such file.
        assert!(png.ends_with(&[0, 0, 0, 0, b'I', b'E', b'N', b'D', 0xae, 0x42, 0x60, 0x82]));
        assert_eq!(of(&"x".repeat(10_000)), None);
    }
}
