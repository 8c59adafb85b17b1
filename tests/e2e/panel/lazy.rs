//! A login that fails during the import: one look, one create, and a new mailbox gets its time.

use serde_json::json;

use super::{ANNA, PASSWORD, aim, import, world};
use crate::kit::run::reader::Reader;

#[test]
fn a_mailbox_that_is_gone_by_the_import_is_created_then() {
    for precheck in [true, false] {
        let (program, mut panel, target) = world(&json!([]));
        // The first list is not true any more when the import begins.
        panel.faults(json!([{"on": "list", "times": 1, "do": "claim", "names": ["anna"]}]));
        let more: &[&str] = if precheck {
            &[]
        } else {
            &["--no-connectivity-test"]
        };
        import(&program, &panel, more)
            .code(0)
            .says("Mailboxes created");
        assert_eq!(panel.asked_to("list").len(), 2, "one more look");
        assert_eq!(panel.asked_to("create").len(), 1);
        let held = Reader::new(&target.imaps(), ANNA, PASSWORD).mailbox("INBOX");
        assert_eq!(held.messages.len(), 3);
    }
}

#[test]
fn a_wrong_password_of_an_existing_mailbox_is_said_to_be_one() {
    for precheck in [true, false] {
        let (program, panel, target) = world(&json!(["anna"]));
        aim(&program, &target, &[(ANNA, "wrong")]);
        let more: &[&str] = if precheck {
            &[]
        } else {
            &["--no-connectivity-test"]
        };
        let output = import(&program, &panel, more);
        output.code(if precheck { 3 } else { 1 });
        output
            .says("the mailbox exists on the panel")
            .says("password");
        assert_eq!(panel.asked_to("list").len(), 2, "one more look");
        assert!(panel.asked_to("create").is_empty());
    }
}

#[test]
fn a_new_mailbox_may_need_a_moment() {
    let (program, mut panel, target) = world(&json!([]));
    let mut slow = target.provisioning();
    slow["delay"] = json!(2.5);
    panel.set("provision", slow);
    import(&program, &panel, &["--no-connectivity-test"])
        .code(0)
        .warns("the mailbox is new");
    assert_eq!(panel.asked_to("create").len(), 1);
}
