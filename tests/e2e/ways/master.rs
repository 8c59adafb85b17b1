//! One login for all mailboxes: master users by their name, and SASL PLAIN with another identity.

use serde_json::json;

use super::{ANNA, BEN, config, export};
use crate::kit::PASSWORD;
use crate::kit::mail::realistic;
use crate::kit::run::program::Program;
use crate::kit::run::reader::Reader;
use crate::kit::servers::cyrus::Cyrus;
use crate::kit::servers::dovecot::{Dovecot, DovecotOptions};

const MASTER: &str = "master-not-to-be-seen";

fn dovecot() -> Dovecot {
    let dovecot = Dovecot::start(DovecotOptions {
        master: Some(("migration".to_owned(), MASTER.to_owned())),
        ..DovecotOptions::of(&[(ANNA, PASSWORD), (BEN, PASSWORD)])
    });
    dovecot.seed(ANNA, "INBOX", &realistic(1, 2));
    dovecot.seed(BEN, "INBOX", &realistic(7, 3));
    dovecot
}

#[test]
fn a_master_user_enters_every_mailbox_by_name_or_by_identity() {
    let dovecot = dovecot();
    for auth in [
        json!({"login": "{email}*migration", "password_file": "master"}),
        json!({"login": "migration", "authzid": "{email}", "password_file": "master"}),
        json!({"login": "migration", "authzid": "{local}@{domain}", "mechanism": "plain", "password_file": "master"}),
    ] {
        let program = Program::new();
        program.file("master", &format!("{MASTER}\n"));
        program.keep_secrets([MASTER]);
        config(&program, &dovecot.imaps(), &auth, &[ANNA, BEN]);
        let (code, report) = export(&program, &[]);
        assert_eq!(code, 0, "{auth}: {report}");
        let count = |user: &str| program.archive(user).mailbox("INBOX").messages.len();
        assert_eq!((count(ANNA), count(BEN)), (2, 3), "{auth}");
    }
}

#[test]
fn an_administrator_of_cyrus_acts_as_each_user() {
    let cyrus = Cyrus::start(&[("anna", PASSWORD), ("ben", PASSWORD), ("migration", MASTER)]);
    for (user, mail) in [("anna", realistic(1, 2)), ("ben", realistic(7, 3))] {
        Reader::new(&cyrus.plain(), user, PASSWORD).append("INBOX", &mail);
    }
    let program = Program::new();
    program.file("master", &format!("{MASTER}\n"));
    program.keep_secrets([MASTER]);
    let auth = json!({"mechanism": "plain", "login": "migration", "authzid": "{local}", "password_file": "master"});
    config(&program, &cyrus.plain(), &auth, &[ANNA, BEN]);
    let (code, report) = export(&program, &[]);
    assert_eq!(code, 0, "{report}");
    let count = |user: &str| program.archive(user).mailbox("INBOX").messages.len();
    assert_eq!((count(ANNA), count(BEN)), (2, 3));
}
