use super::*;
use crate::archive::path::hex;
use crate::message::Identity;
use std::fs;
use std::io::Write;

const MAIL: &[u8] = b"Subject: x\r\n\r\none\r\ntwo\r\n";

fn digest(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// An archive of one message, with UID 7.
fn archived(mail: &[u8]) -> (tempfile::TempDir, MailboxDir) {
    let dir = tempfile::tempdir().expect("temporary directory");
    let mailbox = MailboxDir::new(dir.path().to_path_buf());
    let sidecar = serde_json::json!({
        "mailbox": "INBOX", "uid": 7, "flags": "\\Seen", "internaldate": "17-Jul-1996 02:44:25 +0000",
    });
    let sidecar: Sidecar = serde_json::from_value(sidecar).expect("a sidecar");
    let mut incoming = mailbox.incoming();
    incoming.write_all(mail).expect("taken");
    mailbox.store(&mut incoming, sidecar).expect("stored");
    (dir, mailbox)
}

fn change(mailbox: &MailboxDir, change: impl Fn(&mut Sidecar)) {
    let mut sidecar = mailbox.read_sidecar(7).expect("read");
    change(&mut sidecar);
    let text = serde_json::to_vec(&sidecar).expect("written");
    fs::write(mailbox.sidecar_path(7), text).expect("written");
}

fn load(mailbox: &MailboxDir) -> Result<Ready, Damaged> {
    Ready::load(mailbox, 7, Repairs::default()).expect("read")
}

fn sent(ready: &mut Ready) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut body = ready.body().expect("there");
    body.read_to_end(&mut bytes).expect("read");
    bytes
}

#[test]
fn what_is_sent_is_what_was_proved_as_often_as_it_is_asked_for() {
    let large = [MAIL, &b"a line of it\r\n".repeat(2 * BUFFER / 14)].concat();
    for mail in [MAIL, &large, &large[..BUFFER], &large[..=BUFFER]] {
        let (_dir, mailbox) = archived(mail);
        let mut ready = load(&mailbox).expect("whole");
        let length = mail.len() as u64;
        assert_eq!((ready.size, &ready.sha256), (length, &digest(mail)));
        assert!(!ready.repaired.any());
        assert!(
            sent(&mut ready) == mail && sent(&mut ready) == mail,
            "{length}"
        );
        let print = fingerprint(&mailbox, 7, Repairs::default()).expect("read");
        let mut expected = Fingerprint::default();
        expected.feed(mail);
        assert!(print.expect("whole").is_same(&expected), "{length}");
    }
}

#[test]
fn what_is_not_as_its_sidecar_says_is_damaged() {
    let (_dir, mailbox) = archived(MAIL);
    change(&mailbox, |sidecar| {
        sidecar.sha256 = sidecar.sha256.as_ref().map(|text| text.to_uppercase());
    });
    load(&mailbox).expect("digits have no case");
    assert_eq!(content(&mailbox, 7).expect("read"), Some(digest(MAIL)));
    let says = |mailbox: &MailboxDir| load(mailbox).err().expect("damaged").0;
    change(&mailbox, |sidecar| sidecar.size = Some(5));
    assert!(says(&mailbox).contains("its sidecar says 5"));
    change(&mailbox, |sidecar| {
        sidecar.size = None;
        sidecar.sha256 = Some(digest(b"other"));
    });
    assert!(says(&mailbox).contains("its sha256 is"));
    change(&mailbox, |sidecar| {
        sidecar.sha256 = None;
        sidecar.uid = 8;
    });
    assert!(says(&mailbox).contains("that of uid 8"));
    // An old archive says neither size nor digest: then nothing contradicts.
    change(&mailbox, |sidecar| sidecar.uid = 7);
    load(&mailbox).expect("whole");
    assert_eq!(content(&mailbox, 7).expect("read"), Some(digest(MAIL)));
}

#[test]
fn a_pair_that_cannot_be_read_is_its_own_matter() {
    let (_dir, torn) = archived(MAIL);
    fs::write(torn.sidecar_path(7), "{").expect("torn");
    assert_eq!(content(&torn, 7).expect("its own"), None);
    let (_dir, half) = archived(MAIL);
    fs::remove_file(half.message_path(7)).expect("removed");
    for mailbox in [torn, half] {
        assert!(load(&mailbox).is_err());
        let described = describe(&mailbox, 7, Repairs::default());
        assert!(described.expect("its own").is_none());
    }
}

#[test]
fn line_ends_that_a_copy_has_lost_are_given_back_where_the_digest_proves_it() {
    let (_dir, mailbox) = archived(MAIL);
    let without: Vec<u8> = MAIL.iter().copied().filter(|byte| *byte != b'\r').collect();
    fs::write(mailbox.message_path(7), &without).expect("written");
    let mut ready = load(&mailbox).expect("proved");
    assert_eq!(
        (ready.size, &ready.sha256),
        (MAIL.len() as u64, &digest(MAIL))
    );
    assert_eq!(
        (sent(&mut ready), ready.repaired.bare_lf),
        (MAIL.to_vec(), 4)
    );
    fs::write(mailbox.message_path(7), [&without[..], b"more\n"].concat()).expect("written");
    assert!(load(&mailbox).is_err());
}

#[test]
fn a_message_is_described_as_it_is_sent_by_its_whole_header() {
    let described = |mail: &[u8], repairs| {
        let (_dir, mailbox) = archived(mail);
        describe(&mailbox, 7, repairs)
            .expect("read")
            .expect("there")
    };
    let none = Repairs::default();
    let plain = described(MAIL, none);
    let time = Some(837_571_465);
    assert_eq!((plain.size, plain.time), (MAIL.len() as u64, time));
    assert_eq!(plain.identity, Identity::of(MAIL, plain.size, time));
    assert_eq!((plain.loose, plain.flags.as_str()), (None, "\\Seen"));
    // However long the header: what differs behind many pieces of it counts.
    let long = |last: &str| {
        let fill = " a word\r\n".repeat(10_000);
        described(
            format!("To: x\r\n{fill}Subject: {last}\r\n\r\n").as_bytes(),
            none,
        )
    };
    assert_ne!(long("one").identity, long("two").identity);
    // Servers that keep no 8-bit characters in headers have it otherwise.
    let eight = described("Subject: \u{e9}\r\n\r\n".as_bytes(), none);
    let blotted = Identity::of(b"Subject: XX\r\n\r\n", eight.size, eight.time);
    assert_eq!(eight.loose, Some(blotted));
    assert!(eight.has_identity(blotted) && eight.has_identity(eight.identity));
    assert!(!eight.has_identity(plain.identity) && !plain.has_identity(blotted));
    // Its size is that of what is mended, however much that is.
    let lines = 20_000;
    let bare = [b"To: x\n\n", &b"x\n".repeat(lines)[..]].concat();
    let bare_lf = Repairs {
        bare_lf: true,
        ..none
    };
    let mended = (bare.len() + 2 + lines) as u64;
    assert_eq!(described(&bare, bare_lf).size, mended);
    assert_eq!(described(&bare, none).size, bare.len() as u64);
}
