//! File systems of a kind of their own: to which two names are one, which `syncfs` does not reach, or that hold one account.

use super::super::ANNA;
use crate::kit::PASSWORD;
use crate::kit::mail::realistic;
use crate::kit::run::disk::{FoldingDisk, MOUNTS, PowerDisk};
use crate::kit::run::program::Program;
use crate::kit::servers::fake::{FakeMailbox, FakeMessage, FakeServer};

/// Two of each are one to the file system; in modified UTF-7, `Straße` and `Ärzte`, once composed and once not.
const NAMES: [&str; 8] = [
    "INBOX",
    "Work",
    "WORK",
    "work",
    "Stra&AN8-e",
    "STRASSE",
    "&AMQ-rzte",
    "A&Awg-rzte",
];

fn mailbox(name: &str, seed: u64) -> FakeMailbox {
    FakeMailbox::new(name).mails(&realistic(seed, 2))
}

#[test]
fn mailboxes_whose_names_are_one_to_the_file_system_share_no_directory() {
    let mut options = FakeServer::options();
    for (name, seed) in NAMES.iter().zip(150..) {
        options = options.mailbox(mailbox(name, seed));
    }
    let server = options.start();
    let program = Program::new();
    program.config(&server.endpoint(), &[(ANNA, PASSWORD)]);
    let disk = FoldingDisk::new(&program.path("exported"), &program.path("below"));
    let holds_all = || {
        let mailboxes = program.archive(ANNA).mailboxes();
        assert_eq!(mailboxes.len(), NAMES.len());
        for mailbox in mailboxes.values() {
            let wire = mailbox.meta["wire"].as_str().expect("a name");
            for message in &server.mailbox(wire).messages {
                let archived = &mailbox.messages[&message.uid];
                assert_eq!(archived.bytes, *message.body, "{wire}");
            }
        }
    };
    program.export(&[]).code(0);
    holds_all();
    let messages = || {
        let synced = disk.synced();
        let ends = synced.iter().map(|path| path.rsplit('.').next());
        ends.filter(|end| *end == Some("eml")).count()
    };
    assert_eq!(messages(), 2 * NAMES.len(), "{:?}", disk.synced());
    server.edit(|mailboxes| {
        let mail = crate::kit::mail::Mail::simple("new");
        mailboxes[2].messages.push(FakeMessage::of(3, &mail));
    });
    program.export(&["--report", "report.json"]).code(0);
    holds_all();
    assert_eq!(messages(), 2 * NAMES.len() + 1, "nothing was fetched twice");
    program.run(["--mode", "audit"]).code(0);
}

#[test]
fn an_account_and_a_mailbox_on_file_systems_of_their_own_outlast_a_power_loss() {
    for below in ["", "INBOX"] {
        let server = FakeServer::options()
            .mailbox(mailbox("INBOX", 160))
            .mailbox(mailbox("Sent", 161))
            .start();
        let program = Program::new();
        program.config(&server.endpoint(), &[(ANNA, PASSWORD)]);
        let account = program.path("exported").join(ANNA);
        let path = account.join(below);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("created");
        let mut disk = PowerDisk::new(&program.path("disk.img"), &path, MOUNTS[1]);
        let output = program.export(&[]);
        disk.power_off();
        output.code(0);
        disk.restart();
        let archive = program.archive(ANNA);
        assert_eq!(archive.state()["complete"], true);
        for name in ["INBOX", "Sent"] {
            for message in &server.mailbox(name).messages {
                let archived = &archive.mailbox(name).messages[&message.uid];
                assert_eq!(archived.bytes, *message.body, "{below} {name}");
            }
        }
    }
}
