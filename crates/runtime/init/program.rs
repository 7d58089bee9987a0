//! One program: what the server says of it, and its process until it is the program.

use core::ptr::null;

use crate::{
    protocol::{BORN, FAILED, HEADER_BYTES, RUN_BYTES, STRINGS, Step},
    system::{self, E2BIG, EINVAL, ENOENT, ENOTDIR, Errno},
};

const POINTER_BYTES: usize = size_of::<*const u8>();
/// Enough for a handful of calls, none deep.
const STACK_BYTES: usize = 16 << 10;
const POINTERS_AT: usize = RUN_BYTES;
const STACK_AT: usize = POINTERS_AT + STRINGS * POINTER_BYTES;
const ROOM_BYTES: usize = STACK_AT + STACK_BYTES;

/// A step that failed, and why.
pub(crate) struct Failure(pub(crate) Step, pub(crate) Errno);

impl Failure {
    /// Tells the server.
    pub(crate) fn tell(&self, channel: i32) {
        let [a, b, c, d] = self.1.to_le_bytes();
        system::send(channel, &[FAILED, self.0 as u8, 0, 0, a, b, c, d]);
    }
}

/// Room for a message, the lists of pointers into it, and a stack. Init keeps none of it: what a
/// thousand idle instances hold of it counts.
pub(crate) struct Room {
    start: *mut u8,
}

impl Room {
    pub(crate) fn new() -> Result<Room, Failure> {
        let start = system::map(ROOM_BYTES).map_err(|errno| Failure(Step::Room, errno))?;
        Ok(Room { start })
    }

    /// Where a message goes.
    pub(crate) fn message(&mut self) -> &mut [u8] {
        // SAFETY: the first bytes of what `new` has mapped, borrowed as `self` is.
        unsafe { core::slice::from_raw_parts_mut(self.start, RUN_BYTES) }
    }

    /// One of the message's first words.
    pub(crate) fn word(&mut self, index: usize) -> u32 {
        let mut words = self.message().chunks_exact(size_of::<u32>());
        words.nth(index).and_then(|word| word.try_into().ok()).map_or(0, u32::from_ne_bytes)
    }

    /// Reads the lists of a message of this length: folder, candidates, arguments, environment.
    fn lists(&mut self, length: usize) -> Result<[*const *const u8; 4], Errno> {
        let counts = [1, self.word(1), self.word(2), self.word(3)];
        let (mut at, mut pointer) = (HEADER_BYTES, 0);
        let mut lists = [null(); 4];
        for (list, count) in lists.iter_mut().zip(counts) {
            *list = self.pointer(pointer)?.cast_const();
            for _ in 0..count {
                let text = self.message().get(at..length).ok_or(EINVAL)?;
                let end = text.iter().position(|byte| *byte == 0).ok_or(EINVAL)?;
                let place = self.pointer(pointer)?;
                // SAFETY: `pointer` answers with places inside the room only.
                unsafe { place.write(self.start.add(at).cast_const()) };
                (at, pointer) = (at + end + 1, pointer + 1);
            }
            // What is not written is zero: the null pointer at the end of the list.
            pointer += 1;
        }
        Ok(lists)
    }

    /// The place of a pointer; there is one more after it.
    fn pointer(&mut self, index: usize) -> Result<*mut *const u8, Errno> {
        if index + 1 >= STRINGS {
            return Err(E2BIG);
        }
        // SAFETY: inside the room, at a multiple of a pointer's size from its aligned start.
        Ok(unsafe { self.start.add(POINTERS_AT + index * POINTER_BYTES).cast() })
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        // SAFETY: mapped by `new`; nothing borrowed of it outlives it.
        unsafe { system::unmap(self.start, ROOM_BYTES) };
    }
}

/// What the child reads, and where it writes why it failed.
struct Job {
    lists: [*const *const u8; 4],
    stdout: i32,
    stderr: i32,
    channel: i32,
    failed: Option<Failure>,
}

/// Starts the program of a message of this length. Answers with its process id.
pub(crate) fn start(
    room: &mut Room,
    length: usize,
    [stdout, stderr]: [i32; 2],
    channel: i32,
) -> Result<i32, Failure> {
    let lists = room.lists(length).map_err(|errno| Failure(Step::Message, errno))?;
    let mut job = Job { lists, stdout, stderr, channel, failed: None };
    // SAFETY: the stack is the room's end; the job lives on, for we stand still.
    let pid = unsafe {
        let top = room.start.add(ROOM_BYTES);
        system::fork(top, child, (&raw mut job) as usize)
    };
    let pid = pid.map_err(|errno| Failure(Step::Fork, errno))?;
    match job.failed {
        Some(failure) => Err(failure),
        None => Ok(pid),
    }
}

extern "C" fn child(job: usize) -> ! {
    // SAFETY: `start` passes a `Job` that nobody else uses as long as we live.
    let job = unsafe { &mut *(job as *mut Job) };
    let Err(failure) = become_program(job);
    job.failed = Some(failure);
    system::exit(127)
}

fn become_program(job: &Job) -> Result<core::convert::Infallible, Failure> {
    // Before the streams are set: the first program's channel lies where its output will.
    system::send(job.channel, &[BORN]);
    let standard = |errno| Failure(Step::Standard, errno);
    system::lead_session().map_err(standard)?;
    system::place(job.stdout, 1).map_err(standard)?;
    system::place(job.stderr, 2).map_err(standard)?;
    system::mask(0).map_err(standard)?;
    let [folder, mut candidate, arguments, environment] = job.lists;
    // SAFETY: `Room::lists` made these lists, with an end each and one string in the first.
    unsafe {
        system::enter(*folder).map_err(|errno| Failure(Step::Folder, errno))?;
        let mut met = ENOENT;
        while !(*candidate).is_null() {
            met = system::execute(*candidate, arguments, environment);
            if !matches!(met, ENOENT | ENOTDIR) {
                break;
            }
            candidate = candidate.add(1);
        }
        Err(Failure(Step::Exec, met))
    }
}
