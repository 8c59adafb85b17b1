//! Which mailbox a use goes to where there are several.

use super::*;

/// In whatever order the target lists them.
fn check(table: &[UseCase<'_>]) {
    for (what, sources, there, expected) in table {
        assert_eq!(
            names(sources, &target("", '/', there.to_vec())),
            *expected,
            "{what}"
        );
        let backwards: Vec<Listed> = there.iter().rev().cloned().collect();
        assert_eq!(
            names(sources, &target("", '/', backwards)),
            *expected,
            "{what}, backwards"
        );
    }
}

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
    check(&table);
}

#[test]
fn a_use_takes_what_is_its_own_or_what_an_attribute_names() {
    let sent = ["\\Sent"];
    let table: [UseCase; 5] = [
        (
            "of several by attribute its own, also where another is free and commoner",
            &[source("Sent Messages", '/', &sent)],
            &[present("Sent", &sent), present("Sent Messages", &sent)],
            &["Sent Messages"],
        ),
        (
            "an attribute beats its own name",
            &[source("Gesendet", '/', &[])],
            &[present("Gesendet", &[]), present("Envoyés", &sent)],
            &["Envoyés"],
        ),
        (
            "below INBOX a name says nothing",
            &[source("INBOX/Sent", '/', &[]), source("Work", '/', &[])],
            &[present("Sent", &[])],
            &["INBOX/Sent", "Work"],
        ),
        (
            "a name that contradicts the attribute says nothing",
            &[source("Sent", '/', &["\\Trash"])],
            &[present("Raus", &sent)],
            &["Sent"],
        ),
        (
            "what an earlier run took from the one that has the name, and gave a number",
            &[
                source("Gesendet", '/', &sent),
                source("Sent", '/', &[]),
                source("Sent Items", '/', &[]),
            ],
            &[
                present("Sent", &[]),
                present("Sent Items", &[]),
                present("Sent Items (2)", &[]),
            ],
            &["Sent Items", "Sent", "Sent Items (2)"],
        ),
    ];
    check(&table);
}

/// What the configuration sends there is meant to be joined with what is used for the same; what another source has of
/// its own is not.
#[test]
fn a_use_is_joined_with_what_is_configured_to_go_there_before_it_takes_what_is_anothers() {
    let sources = [
        source("Gesendet", '/', &["\\Sent"]),
        source("Sent Items", '/', &[]),
        source("Work", '/', &[]),
    ];
    let there = vec![present("Sent", &[]), present("Sent Items", &[])];
    let plans = mapped(&sources, &target("", '/', there), &[("Work", "Sent")]);
    let names: Vec<&str> = plans.iter().map(|plan| plan.name.text()).collect();
    assert_eq!(names, ["Sent", "Sent Items", "Sent"]);
}

#[test]
fn neither_what_is_configured_nor_what_went_elsewhere_before_stands_for_its_use() {
    let there = || {
        let there = vec![present("Sent", &["\\Sent"]), present("Old", &[])];
        target("", '/', there)
    };
    let both = [
        source("Raus", '/', &["\\Sent"]),
        source("Gesendet", '/', &["\\Sent"]),
    ];
    let plans = mapped(&both, &there(), &[("Raus", "Out")]);
    let names: Vec<&str> = plans.iter().map(|plan| plan.name.text()).collect();
    assert_eq!(names, ["Out", "Sent"]);
    let [raus, gesendet] = both;
    let raus = SourceMailbox {
        before: Some("Old".to_owned()),
        ..raus
    };
    assert_eq!(super::names(&[raus, gesendet], &there()), ["Old", "Sent"]);
}

#[test]
fn whether_a_use_was_said_or_guessed_from_a_name_is_told() {
    for (name, attributes, prefix, there, why) in [
        ("Sent", vec![], "", present("Sent", &[]), Why::Same),
        ("Sent", vec!["\\Sent"], "", present("Sent", &[]), Why::Same),
        (
            "Sent",
            vec![],
            "INBOX/",
            present("INBOX/Sent", &[]),
            Why::WellKnownName,
        ),
        (
            "Raus",
            vec!["\\Sent"],
            "",
            present("Sent", &[]),
            Why::WellKnownName,
        ),
        (
            "Sent",
            vec![],
            "",
            present("Raus", &["\\Sent"]),
            Why::WellKnownName,
        ),
        (
            "Sent",
            vec!["\\Sent"],
            "",
            present("Sent", &["\\Sent"]),
            Why::SpecialUse,
        ),
    ] {
        let sources = [source(name, '/', &attributes)];
        let told = format!("{name} {attributes:?} {there:?}");
        let plans = mapped(&sources, &target(prefix, '/', vec![there]), &[]);
        assert_eq!(plans[0].why, [why], "{told}");
    }
}
