//! What a killed run leaves is cleared away by the next one, once, and told.

use std::fs;
use std::path::PathBuf;

use super::{ANNA, program_for};
use crate::kit::mail::{Mail, realistic};
use crate::kit::run::handmade::{private, write};
use crate::kit::run::program::Program;
use crate::kit::servers::fake::{FakeMailbox, FakeMessage, FakeServer};

fn inbox(program: &Program) -> PathBuf {
    program.archive(ANNA).mailbox("INBOX").dir
}

#[test]
fn half_a_message_that_the_server_no_longer_has_is_moved_aside_once() {
    for (half, other) in [("eml", "json"), ("json", "eml")] {
        for new_mail in [false, true] {
            let server = FakeServer::options()
                .mailbox(FakeMailbox::new("INBOX").mails(&realistic(90, 5)))
                .start();
            let program = program_for(&server);
            program.export(&[]).code(0);
            // As if uid 3 had arrived half, and was deleted by its owner since.
            server.edit(|mailboxes| {
                mailboxes[0].messages.retain(|message| message.uid != 3);
                if new_mail {
                    let late = FakeMessage::of(9, &Mail::simple("late"));
                    mailboxes[0].messages.push(late);
                }
            });
            program.export(&[]).code(0);
            let aside = inbox(&program).join(".vanished");
            let stem = "u0000000003";
            fs::rename(
                aside.join(format!("{stem}.{half}")),
                inbox(&program).join(format!("{stem}.{half}")),
            )
            .expect("moved back");
            fs::remove_file(aside.join(format!("{stem}.{other}"))).expect("removed");
            let words = ["--mode", "export", "--no-connectivity-test", "-q"];
            program.run(words).code(0).says("unfinished");
            assert!(aside.join(format!("{stem}.{half}")).exists(), "{half}");
            program.run(words).code(0);
            let moved = fs::read_dir(&aside).expect("read").count();
            assert_eq!(moved, 1, "{half}: moved once");
        }
    }
}

#[test]
fn temporary_files_of_a_killed_run_are_removed() {
    let server = FakeServer::options()
        .mailbox(FakeMailbox::new("INBOX").mails(&realistic(91, 3)))
        .start();
    let program = program_for(&server);
    program.export(&[]).code(0);
    let left = [
        inbox(&program).join(".u0000000002.json.tmp"),
        inbox(&program).join(".mailbox.json.tmp"),
        inbox(&program).join(".incoming-4711-1"),
        program
            .path("exported")
            .join(ANNA)
            .join(".failed.jsonl.tmp"),
    ];
    for path in &left {
        write(path, "half of");
    }
    program.export(&[]).code(0);
    for path in &left {
        assert!(!path.exists(), "{} is still there", path.display());
    }
    program
        .run(["--mode", "audit", "--audit-offline", "-q"])
        .code(0);
}

#[test]
fn others_who_may_write_into_the_archive_are_told() {
    let server = FakeServer::options()
        .mailbox(FakeMailbox::new("INBOX").mails(&realistic(92, 1)))
        .start();
    let program = program_for(&server);
    program.export(&[]).code(0);
    private(&program.path("exported").join(ANNA), 0o770);
    program.export(&[]).code(0).says("can write into");
}
