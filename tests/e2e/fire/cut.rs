//! The conversation is damaged at one byte, every byte in turn: afterwards archive and target equal the truth.
//!
//! Garbled bytes go through TLS: plain text has nothing that could tell a wrong byte inside a message.

use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;

use super::{ANNA, assert_same, contents, effort};
use crate::kit::PASSWORD;
use crate::kit::mail::{Mail, hostile, realistic};
use crate::kit::run::archive::assert_archive_equals_server;
use crate::kit::run::parallel::in_parallel;
use crate::kit::run::program::{EXPORT, IMPORT, Output, Program, server_json};
use crate::kit::run::reader::Reader;
use crate::kit::servers::dovecot::{Dovecot, DovecotOptions};
use crate::kit::servers::proxy::{Damage, Fault, Proxy, Way};
use crate::kit::{Endpoint, Security};

/// Runs after the one that was damaged.
const FURTHER: usize = 5;

/// Programs at work at a time: most of what they do is wait.
const THREADS: usize = 12;

/// How the conversation may end.
const ENDS: [Fault; 3] = [Fault::Close, Fault::Reset, Fault::Stall];

/// Every quirk once, small enough for thousands of runs.
fn quirks() -> Vec<Mail> {
    let small = |mail: &Mail| mail.bytes.len() < 3000;
    let mails = hostile().into_iter().filter(small).zip(0_u64..);
    mails
        .map(|(mail, number)| {
            let flags = ["", "\\Seen", "\\Answered \\Flagged", "\\Draft"];
            let flags = flags[usize::try_from(number % 4).expect("few")];
            mail.flagged(flags).at(951_782_400 + number * 86_399)
        })
        .collect()
}

/// A server with Anna's mail on it and `targets` empty accounts.
fn server(targets: usize) -> Dovecot {
    let mut options = DovecotOptions {
        // Else a carriage return before a line end is lost when a message is stored.
        extra_config: "mail_save_crlf = yes\n".to_owned(),
        ..DovecotOptions::default()
    };
    for number in 0..targets {
        options.accounts.push((target(number), PASSWORD.to_owned()));
    }
    let dovecot = Dovecot::start(options);
    let quirks = quirks();
    let (inbox, other) = quirks.split_at(quirks.len() / 2);
    dovecot.seed(ANNA, "INBOX", inbox);
    dovecot.seed(ANNA, "Archive/2024 & Größe", other);
    dovecot.seed(ANNA, "Empty", &[]);
    let ordinary: Vec<Mail> = realistic(90, 30)
        .into_iter()
        .filter(|mail| mail.bytes.len() < 4000)
        .map(|mail| mail.flagged("\\Seen"))
        .collect();
    dovecot.seed(ANNA, "Work", &ordinary[..4]);
    let short = |word: &str| {
        let text = format!("Message-ID: <{word}@example.com>\r\nSubject: {word}\r\n\r\n{word}\r\n");
        Mail::new(word, text)
    };
    dovecot.seed(ANNA, "Two", &["one", "two"].map(short));
    dovecot
}

fn target(number: usize) -> String {
    format!("target{number}@example.com")
}

/// A program that sees the server through the proxy.
fn program_at(endpoint: &Endpoint, name: &str, login: &str) -> Program {
    let program = Program::new();
    let config = json!({
        "server": server_json(endpoint),
        "accounts": [{"email": ANNA, "login": login, "password": PASSWORD}],
    });
    program.file(name, &config.to_string());
    program
}

fn exporter(endpoint: &Endpoint) -> Program {
    program_at(endpoint, "export.pass.config.json", ANNA)
}

fn importer(endpoint: &Endpoint, login: &str, archive: &Program) -> Program {
    let program = program_at(endpoint, "import.pass.config.json", login);
    let status = Command::new("cp")
        .arg("-a")
        .arg(archive.path("exported"))
        .arg(program.path("exported"))
        .status();
    assert!(status.is_ok_and(|status| status.success()), "cp fails");
    program
}

/// A stalled connection is given up after two seconds, and what was under way before another one has then settled.
const IMPATIENT: [&str; 2] = ["--imap-timeout", "2"];

fn export(program: &Program) -> Output {
    program.run(EXPORT.iter().chain(&IMPATIENT))
}

fn import(program: &Program) -> Output {
    program.run(IMPORT.iter().chain(&IMPATIENT))
}

/// Runs until one ends with 0; the first may fail, and so may some more, but not all.
#[track_caller]
fn until_complete(
    program: &Program,
    proxy: &Proxy,
    done: &AtomicUsize,
    run: fn(&Program) -> Output,
) {
    let mut last = run(program);
    done.fetch_add(usize::from(proxy.is_done()), Ordering::SeqCst);
    proxy.heal();
    for _ in 0..FURTHER {
        assert!(
            matches!(last.status.code(), Some(0 | 1)),
            "an exit code for it is 0 or 1\n{}",
            last.describe()
        );
        assert!(!last.stderr.contains("panicked"), "{}", last.describe());
        if last.status.success() {
            return;
        }
        last = run(program);
    }
    last.code(0);
}

/// Places in a conversation of `length` bytes: each `step`th, as damage that ends it, each kind in turn.
fn places(way: Way, range: std::ops::Range<usize>, step: usize) -> Vec<Damage> {
    let mut ends = ENDS.iter().cycle();
    range
        .step_by(step)
        .map(|at| Damage {
            way,
            at,
            fault: *ends.next().expect("endless"),
            always: false,
        })
        .collect()
}

/// Where the bytes between two texts are: from the beginning of the one to the end of the other behind it.
#[track_caller]
fn between(bytes: &[u8], from: &[u8], to: &[u8]) -> std::ops::Range<usize> {
    let find = |text: &[u8], start: usize| {
        let found = bytes[start..]
            .windows(text.len())
            .position(|window| window == text);
        let text = String::from_utf8_lossy(text);
        start + found.unwrap_or_else(|| panic!("{text:?} did not pass"))
    };
    let start = find(from, 0);
    start..find(to, start + from.len()) + to.len()
}

/// The shortest APPEND with all its messages, up to the command behind it.
fn shortest_append(to_server: &[u8]) -> std::ops::Range<usize> {
    let word = b" APPEND ";
    let starts = to_server.windows(word.len()).enumerate();
    let starts: Vec<usize> = starts
        .filter(|(_, window)| window == word)
        .map(|(at, _)| at)
        .collect();
    let end = between(to_server, word, b" LOGOUT").end;
    let ends = starts[1..].iter().copied().chain([end]);
    let appends = starts.iter().zip(ends).map(|(start, end)| *start..end);
    appends
        .min_by_key(ExactSizeIterator::len)
        .expect("an APPEND")
}

/// Damages an export at each of these places.
fn export_damaged(dovecot: &Dovecot, endpoint: &Endpoint, places: &[Damage]) {
    let truth = Reader::new(&dovecot.plain(), ANNA, PASSWORD).mailboxes();
    let done = AtomicUsize::new(0);
    in_parallel(places, THREADS, |damage| {
        let proxy = Proxy::start(endpoint, Some(*damage));
        let program = exporter(&proxy.endpoint());
        until_complete(&program, &proxy, &done, export);
        assert_archive_equals_server(&program.archive(ANNA), &truth);
    });
    assert_done(places, &done);
    let after = Reader::new(&dovecot.plain(), ANNA, PASSWORD).mailboxes();
    crate::kit::run::reader::assert_unchanged(&truth, &after);
}

/// Damages an import at each of these places, each into a fresh account.
fn import_damaged(dovecot: &Dovecot, endpoint: &Endpoint, places: &[Damage]) {
    let truth = contents(&Reader::new(&dovecot.plain(), ANNA, PASSWORD).mailboxes());
    let archive = exporter(&dovecot.plain());
    export(&archive).code(0);
    let done = AtomicUsize::new(0);
    let numbered: Vec<(usize, Damage)> = places.iter().copied().enumerate().collect();
    in_parallel(&numbered, THREADS, |(number, damage)| {
        let proxy = Proxy::start(endpoint, Some(*damage));
        let login = target(*number);
        let program = importer(&proxy.endpoint(), &login, &archive);
        until_complete(&program, &proxy, &done, import);
        let held = Reader::new(&dovecot.plain(), &login, PASSWORD).mailboxes();
        let held = contents(&held);
        assert_same(&held, &truth);
    });
    assert_done(places, &done);
}

/// Conversations differ by a few bytes, so the last places may not be reached; nearly all must be.
#[track_caller]
fn assert_done(places: &[Damage], done: &AtomicUsize) {
    let planned = places.iter().filter(|damage| !damage.always).count();
    let done = done.load(Ordering::SeqCst);
    assert!(
        done * 20 >= planned * 19,
        "only {done} of {planned} conversations were damaged"
    );
}

/// What passes each way in a run without damage.
fn undamaged(endpoint: &Endpoint, run: impl Fn(&Endpoint)) -> [Vec<u8>; 2] {
    let proxy = Proxy::start(endpoint, None);
    run(&proxy.endpoint());
    [proxy.passed(Way::ToServer), proxy.passed(Way::ToClient)]
}

fn undamaged_export(endpoint: &Endpoint) -> [Vec<u8>; 2] {
    undamaged(endpoint, |endpoint| {
        export(&exporter(endpoint)).code(0);
    })
}

fn undamaged_import(dovecot: &Dovecot, endpoint: &Endpoint, login: &str) -> [Vec<u8>; 2] {
    let archive = exporter(&dovecot.plain());
    export(&archive).code(0);
    undamaged(endpoint, |endpoint| {
        import(&importer(endpoint, login, &archive)).code(0);
    })
}

#[test]
fn an_export_cut_anywhere_is_completed() {
    let dovecot = server(0);
    let plain = dovecot.plain();
    let [to_server, to_client] = undamaged_export(&plain);
    let step = effort(97 * 7, 97);
    let mut all = places(Way::ToClient, 0..to_client.len(), step);
    all.extend(places(Way::ToServer, 0..to_server.len(), effort(97, 17)));
    // One whole FETCH of a message, from its command to its answer's last byte.
    let command = between(&to_server, b"UID FETCH", b"\r\n");
    all.extend(places(Way::ToServer, command, effort(13, 1)));
    let answer = between(&to_client, b" BODY[] {", b"\r\n* ");
    all.extend(places(Way::ToClient, answer, effort(29, 1)));
    export_damaged(&dovecot, &plain, &all);
}

#[test]
fn an_import_cut_anywhere_is_completed() {
    let dovecot = server(effort(300, 3000));
    let plain = dovecot.plain();
    let [to_server, to_client] = undamaged_import(&dovecot, &plain, &target(effort(299, 2999)));
    let mut all = places(Way::ToServer, 0..to_server.len(), effort(97 * 7, 97));
    all.extend(places(Way::ToClient, 0..to_client.len(), effort(97, 17)));
    // One whole APPEND, of two messages where the server takes more than one, and its answer.
    let command = shortest_append(&to_server);
    all.extend(places(Way::ToServer, command, effort(7, 1)));
    let answer = between(&to_client, b"[APPENDUID", b"\r\n");
    all.extend(places(Way::ToClient, answer, effort(7, 1)));
    eprintln!("{} places", all.len());
    assert!(all.len() < effort(299, 2999), "more places than targets");
    import_damaged(&dovecot, &plain, &all);
}

#[test]
fn what_reaches_the_target_after_the_connection_is_lost_is_not_appended_twice() {
    let dovecot = server(effort(20, 200));
    let plain = dovecot.plain();
    let [to_server, _] = undamaged_import(&dovecot, &plain, &target(effort(19, 199)));
    let appends = between(&to_server, b" APPEND ", b"LOGOUT");
    let step = appends.len() / effort(12, 180);
    let late: Vec<Damage> = places(Way::ToServer, appends, step)
        .into_iter()
        .map(|damage| Damage {
            fault: Fault::Late,
            ..damage
        })
        .collect();
    import_damaged(&dovecot, &plain, &late);
}

#[test]
fn a_garbled_byte_in_tls_is_noticed_and_mended() {
    let dovecot = server(effort(60, 3000));
    let imaps = dovecot.imaps();
    assert_eq!(imaps.security, Security::Tls);
    let garbled = |bytes: &[Vec<u8>; 2], step: usize| -> Vec<Damage> {
        [Way::ToServer, Way::ToClient]
            .into_iter()
            .flat_map(|way| places(way, 0..bytes[way as usize].len(), step))
            .map(|damage| Damage {
                fault: Fault::Garble,
                ..damage
            })
            .collect()
    };
    let exported = undamaged_export(&imaps);
    export_damaged(&dovecot, &imaps, &garbled(&exported, effort(1499, 97)));
    let imported = undamaged_import(&dovecot, &imaps, &target(effort(59, 2999)));
    import_damaged(&dovecot, &imaps, &garbled(&imported, effort(1499, 97)));
}

#[test]
fn a_garbled_byte_in_plain_text_never_brings_the_program_down() {
    let dovecot = server(0);
    let plain = dovecot.plain();
    let [_, to_client] = undamaged_export(&plain);
    let places: Vec<Damage> = places(Way::ToClient, 0..to_client.len(), effort(499, 31))
        .into_iter()
        .map(|damage| Damage {
            fault: Fault::Garble,
            ..damage
        })
        .collect();
    in_parallel(&places, THREADS, |damage| {
        let proxy = Proxy::start(&plain, Some(*damage));
        let program = exporter(&proxy.endpoint());
        let output = export(&program);
        assert!(
            matches!(output.status.code(), Some(0 | 1)) && !output.stderr.contains("panicked"),
            "{}",
            output.describe()
        );
    });
}

#[test]
fn a_server_that_always_breaks_off_ends_the_run_and_the_next_one_completes_it() {
    let dovecot = server(effort(8, 60));
    let plain = dovecot.plain();
    let always = |bytes: &[u8], way: Way, count: usize| -> Vec<Damage> {
        let step = bytes.len() / count + 1;
        let places = places(way, step / 2..bytes.len(), step);
        let always = places.into_iter().map(|damage| Damage {
            always: true,
            ..damage
        });
        always.collect()
    };
    let [_, to_client] = undamaged_export(&plain);
    let places = always(&to_client, Way::ToClient, effort(6, 50));
    export_damaged(&dovecot, &plain, &places);
    let [to_server, _] = undamaged_import(&dovecot, &plain, &target(effort(7, 59)));
    let places = always(&to_server, Way::ToServer, effort(6, 50));
    import_damaged(&dovecot, &plain, &places);
}
