//! The two functions of a C library that a compiler takes for granted. Byte by byte: init moves
//! little, and a loop that a compiler understood would become a call of the function itself.

/// # Safety
/// As in C: `bytes` bytes at `to` may be written.
#[unsafe(no_mangle)]
unsafe extern "C" fn memset(to: *mut u8, byte: i32, bytes: usize) -> *mut u8 {
    for index in 0..bytes {
        // SAFETY: the caller's promise.
        unsafe { to.add(index).write_volatile(byte as u8) };
    }
    to
}

/// # Safety
/// As in C: `bytes` bytes at `from` may be read and at `to` be written, and do not overlap.
#[unsafe(no_mangle)]
unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, bytes: usize) -> *mut u8 {
    for index in 0..bytes {
        // SAFETY: the caller's promise.
        unsafe { to.add(index).write_volatile(from.add(index).read()) };
    }
    to
}
