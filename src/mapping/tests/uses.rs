//! Which mailbox a use goes to where there are several.

use super::*;

/// Of one use the target may have several, in any order; what an earlier run made must not change the plan.
#[test]
fn each_use_goes_to_the_best_mailbox_of_that_use() {
    let sent = ["\\Sent"];
    let table: [UseCase; 9] = [
        (
            "several by attribute, one of them its own: Dovecot's default configuration",
            &[
                source("Sent", '/', &sent),
                source("Sent Messages", '/', &sent),
            ],
            &[present("Sent Messages", &sent), present("Sent", &sent)],
            &["Sent", "Sent Messages"],
        ),
        (
            "several by attribute, none its own: the commonest",
            &[source("Raus", '/', &sent)],
            &[present("Sent Messages", &sent), present("Sent", &sent)],
            &["Sent"],
        ),
        (
            "an attribute beats a name",
            &[source("Gesendet", '/', &[])],
            &[present("Sent", &[]), present("Envoyés", &sent)],
            &["Envoyés"],
        ),
        (
            "without attributes the same name beats a commoner one",
            &[source("Sent Items", '/', &[])],
            &[present("Sent", &[]), present("Sent Items", &[])],
            &["Sent Items"],
        ),
        (
            "an earlier run made both, and the target marked the other one",
            &[source("Gesendet", '/', &sent), source("Sent", '/', &[])],
            &[present("Gesendet", &[]), present("Sent", &sent)],
            &["Gesendet", "Sent"],
        ),
        (
            "an earlier run made the second one",
            &[source("Gesendet", '/', &sent), source("Sent", '/', &[])],
            &[present("Sent", &[]), present("Sent Items", &[])],
            &["Sent Items", "Sent"],
        ),
        (
            "only a name: none is taken from the one that has it",
            &[source("Sent Items", '/', &[]), source("Sent", '/', &[])],
            &[present("Sent", &sent)],
            &["Sent Items", "Sent"],
        ),
        (
            "a decomposed name, as Apple writes it",
            &[source("Entwu\u{308}rfe", '/', &[])],
            &[present("Drafts", &[])],
            &["Drafts"],
        ),
        (
            "Gmail's own level",
            &[
                source("[Gmail]/Gesendet", '/', &[]),
                source("Bin", '/', &[]),
            ],
            &[present("Sent", &[]), present("[Gmail]/Trash", &["\\Trash"])],
            &["Sent", "[Gmail]/Trash"],
        ),
    ];
    for (what, sources, there, expected) in table {
        assert_eq!(
            names(sources, &target("", '/', there.to_vec())),
            expected,
            "{what}"
        );
        let backwards: Vec<Listed> = there.iter().rev().cloned().collect();
        assert_eq!(
            names(sources, &target("", '/', backwards)),
            expected,
            "{what}, backwards"
        );
    }
}
