//! The first process of every sandbox. It starts programs for the server, signals them, says how
//! they ended, and reaps whatever they leave; when the server closes its socket it ends, and the
//! sandbox with it.
//!
//! A program of its own, without any library: `build.rs` compiles it and the server carries it
//! along. An idle one holds a few pages. Always true: it wears all that the function wears (no
//! capability, Landlock, seccomp, the limits), keeps no descriptor of a program, and takes orders
//! of the server's sockets only. Read `protocol` first.

#![no_std]
#![no_main]

#[cfg_attr(target_arch = "x86_64", path = "x86_64.rs")]
#[cfg_attr(target_arch = "aarch64", path = "aarch64.rs")]
mod arch;
mod memory;
mod program;
#[allow(dead_code, reason = "the server's half of it")]
mod protocol;
mod system;

use program::{Failure, Room};
use protocol::{CONTROL, ENDED, PROGRAMS, RUN, SIGNAL, STARTED, Step};
use system::{EAGAIN, EBUSY, EMFILE, Poll, SIGKILL};

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    system::exit(101)
}

/// A program, and the socket on which the server hears of it.
#[derive(Clone, Copy)]
struct Program {
    channel: i32,
    /// 0: there is none, or it has ended.
    pid: i32,
}

/// No channel.
const NONE: i32 = -1;

/// Where the kernel's entry leads.
extern "C" fn init() -> ! {
    system::hide();
    system::name(c"init");
    let Ok(ends) = system::ends_of_children() else { system::exit(1) };
    let mut programs = [Program { channel: NONE, pid: 0 }; PROGRAMS];
    programs[0].channel = CONTROL;
    loop {
        let mut polls = [Poll::read(ends); PROGRAMS + 1];
        for (poll, program) in polls[1..].iter_mut().zip(&programs) {
            *poll = Poll::read(program.channel);
        }
        system::poll(&mut polls);
        if polls[0].is_ready() {
            system::drain(ends);
            reap(&mut programs);
        }
        for (index, poll) in polls[1..].iter().enumerate() {
            if poll.is_ready() {
                listen(&mut programs, index);
            }
        }
    }
}

/// Says of every program that has ended how it did.
fn reap(programs: &mut [Program]) {
    while let Some((pid, status)) = system::reap() {
        for program in programs.iter_mut().filter(|program| program.pid == pid) {
            program.pid = 0;
            let [a, b, c, d] = status.to_le_bytes();
            system::send(program.channel, &[ENDED, 0, 0, 0, a, b, c, d]);
        }
    }
}

/// Does what the server says on one socket.
fn listen(programs: &mut [Program; PROGRAMS], index: usize) {
    let Program { channel, pid } = programs[index];
    let mut room = match Room::new() {
        Ok(room) => room,
        Err(failure) => return failure.tell(channel),
    };
    let received = match system::receive(channel, room.message()) {
        Ok(received) if received.length > 0 => received,
        Err(EAGAIN) => return,
        _ if index == 0 => system::exit(0),
        _ => return forget(&mut programs[index]),
    };
    match room.word(0) {
        RUN if index == 0 => run(programs, &mut room, &received),
        SIGNAL if pid > 0 => system::kill(pid, room.word(1) as usize),
        _ => {}
    }
    for fd in &received.descriptors[..received.count] {
        // A further program's channel stays open.
        if programs.iter().all(|program| program.channel != *fd) {
            system::close(*fd);
        }
    }
}

/// The server wants no more of a program.
fn forget(program: &mut Program) {
    if program.pid > 0 {
        system::kill(program.pid, SIGKILL);
    }
    system::close(program.channel);
    *program = Program { channel: NONE, pid: 0 };
}

fn run(programs: &mut [Program; PROGRAMS], room: &mut Room, received: &system::Received) {
    let (streams, channel) = match received.descriptors[..received.count] {
        [stdout, stderr] => ([stdout, stderr], CONTROL),
        [stdout, stderr, channel] => ([stdout, stderr], channel),
        // Somebody has lowered our limit of open files.
        _ => return Failure(Step::Message, EMFILE).tell(CONTROL),
    };
    let place = match channel {
        CONTROL => programs.iter_mut().next().filter(|program| program.pid == 0),
        _ => programs.iter_mut().find(|program| program.channel == NONE),
    };
    let Some(place) = place else {
        return Failure(Step::Room, EBUSY).tell(channel);
    };
    match program::start(room, received.length, streams, channel) {
        Ok(pid) => {
            *place = Program { channel, pid };
            system::send(channel, &[STARTED]);
        }
        Err(failure) => failure.tell(channel),
    }
}
