//! In place of `tracee` where a processor's registers are not known here: nothing is traced, so
//! `Sandboxer::forks` says no.

use std::{convert::Infallible, io};

pub(super) struct Held;

impl Held {
    pub(super) fn hold(_: u32) -> io::Result<Held> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

pub(super) struct Tracee(Infallible);

impl Tracee {
    pub(super) fn seize(_: u32) -> io::Result<Tracee> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(super) fn call(&self, _: i64, _: &[u64]) -> io::Result<u64> {
        match self.0 {}
    }

    pub(super) fn fork(&self, _: u64) -> io::Result<Tracee> {
        match self.0 {}
    }

    pub(super) fn write(&self, _: u64, _: &[u8]) -> io::Result<()> {
        match self.0 {}
    }

    pub(super) fn read_word(&self, _: u64) -> io::Result<u64> {
        match self.0 {}
    }

    pub(super) fn pid(&self) -> u32 {
        match self.0 {}
    }

    pub(super) fn release(self) -> io::Result<()> {
        match self.0 {}
    }
}
