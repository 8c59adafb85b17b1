//! How a run ends: signals are heard wherever it waits, and nothing of it stays behind; limits and closed streams end
//! nothing that could go on, and are no crash.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;

use serde_json::json;

use super::{ANNA, program_for, server};
use crate::kit::PASSWORD;
use crate::kit::run::program::{EXPORT, Program, Running};
use crate::kit::wait_until;

/// An export whose password command sleeps; the command's process id.
fn asleep(program: &Program) -> (Running, u32) {
    program.file(
        "sleep.sh",
        "echo $$ >pid.new; mv pid.new pid; exec sleep 1000",
    );
    program.config_json(&json!({
        "server": {"host": "127.0.0.1", "port": 1, "ssl": true},
        "accounts": [{"email": ANNA, "password_command": "sh sleep.sh"}],
    }));
    let running = program.spawn_export(&[]);
    let path = program.path("pid");
    wait_until("the command runs", || path.exists());
    let pid = fs::read_to_string(path).expect("noted");
    (running, pid.trim().parse().expect("a number"))
}

fn is_gone(pid: u32) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status"));
    !status.is_ok_and(|status| !status.contains("Z (zombie)"))
}

#[test]
fn a_signal_ends_a_password_command() {
    let program = Program::new();
    let (running, pid) = asleep(&program);
    running.signal("TERM");
    running.wait().code(130).warns("stopping");
    wait_until("the command has ended", || is_gone(pid));
}

#[test]
fn a_signal_is_heard_while_connecting() {
    // Nobody accepts, and the queue is full: the kernel answers no further attempt.
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    rustix::net::listen(&listener, 0).expect("a queue of one");
    let address = listener.local_addr().expect("an address");
    let mut queued = Vec::new();
    while let Ok(stream) =
        TcpStream::connect_timeout(&address, std::time::Duration::from_millis(300))
    {
        queued.push(stream);
    }
    let program = Program::new();
    program.config_json(&json!({
        "server": {"host": "127.0.0.1", "port": address.port(), "ssl": false},
        "accounts": [{"email": ANNA, "password": PASSWORD}],
    }));
    let running = program.spawn_export(&["--imap-timeout", "1000", "-v", "-v"]);
    wait_until("it has begun", || {
        let logs = fs::read_dir(program.path("logs"));
        logs.is_ok_and(|mut logs| logs.next().is_some())
    });
    // The kit gives up long after a stop that is heard, and before the time-out.
    running.signal("INT");
    running.wait().code(130);
}

#[test]
fn a_signal_is_heard_while_a_server_talks_of_other_things() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let (asked, was_asked) = mpsc::channel();
    let server = std::thread::spawn(move || {
        let (stream, _) = listener.accept().expect("a client");
        let mut lines = BufReader::new(stream.try_clone().expect("a second handle")).lines();
        let mut stream = stream;
        stream
            .write_all(b"* OK [CAPABILITY IMAP4rev1] ready\r\n")
            .expect("greeted");
        lines.next();
        asked.send(()).expect("somebody listens");
        while stream.write_all(b"* OK still here\r\n").is_ok() {
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
    });
    let program = Program::new();
    program.config_json(&json!({
        "server": {"host": "127.0.0.1", "port": address.port(), "ssl": false},
        "accounts": [{"email": ANNA, "password": PASSWORD}],
    }));
    let running = program.spawn_export(&["--imap-timeout", "1000"]);
    was_asked.recv().expect("a login");
    running.signal("TERM");
    running.wait().code(130);
    server.join().expect("the client has gone");
}

#[test]
fn a_limit_on_the_size_of_files_is_an_error_with_advice() {
    let server = server()
        .mailbox(
            crate::kit::servers::fake::FakeMailbox::new("Big")
                .mails(&[crate::kit::mail::Mail::simple(&"x".repeat(400_000))]),
        )
        .start();
    let program = program_for(&server);
    let limit = ["sh", "-c", "ulimit -f 200; exec \"$@\"", "sh"];
    let output = program.spawn_under(&limit, EXPORT).wait();
    output.code(1).says("ulimit -f");
}

#[test]
fn a_full_or_closed_standard_error_is_borne() {
    let program = Program::new();
    for redirection in ["2>/dev/full", "2>&-"] {
        let shell = format!("exec \"$@\" {redirection}");
        let under = ["sh", "-c", &shell, "sh"];
        let wrong = ["--mode", "export", "--config", "nowhere"];
        program.spawn_under(&under, wrong).wait().code(2);
    }
    let server = server().start();
    let program = program_for(&server);
    let under = ["sh", "-c", "exec \"$@\" 2>/dev/full", "sh"];
    program.spawn_under(&under, EXPORT).wait().code(0);
}
