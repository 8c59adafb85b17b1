//! What keeps mailboxes apart, and each where it belongs.

use super::*;
use crate::mapping::flattened;

fn to(sources: &[SourceMailbox], target: &Target, map: &[(&str, &str)]) -> Vec<String> {
    let plans = mapped(sources, target, map).into_iter();
    plans.map(|plan| plan.name.text().to_owned()).collect()
}

#[test]
fn entries_of_folder_map_for_others_join_nothing() {
    let sources = [
        source("Work", '/', &[]),
        source("work", '/', &[]),
        source("Old", '/', &[]),
    ];
    let names = to(&sources, &target("", '/', vec![]), &[("Old", "Past")]);
    assert_eq!(names, ["Work", "work (2)", "Past"]);
}

#[test]
fn a_number_that_tells_apart_is_not_another_mailboxs_own() {
    let sources = [
        source("Work", '/', &[]),
        source("work", '/', &[]),
        source("work (2)", '/', &[]),
    ];
    let names = to(&sources, &target("", '/', vec![]), &[]);
    assert_eq!(names, ["Work", "work (3)", "work (2)"]);
}

#[test]
fn of_two_twins_the_one_that_the_target_has_by_its_very_name_keeps_it() {
    let sources = [source("work", '/', &[]), source("Work", '/', &[])];
    let there = target("", '/', vec![present("Work", &[])]);
    assert_eq!(to(&sources, &there, &[]), ["work (2)", "Work"]);
}

#[test]
fn below_a_mailbox_without_children_the_prefix_stands_once() {
    let sources = [source("INBOX/sub", '/', &[]), source("Work/sub", '/', &[])];
    let childless = ["\\NoInferiors"];
    let there = target(
        "Mail.",
        '.',
        vec![
            present("INBOX", &childless),
            present("Mail.Work", &childless),
        ],
    );
    let names = to(&sources, &there, &[]);
    assert_eq!(names, ["Mail.INBOX%2Esub", "Mail.Work%2Esub"]);
}

#[test]
fn parents_are_levels_that_can_be_made() {
    let sources = ["a", "b", "c", "d"].map(|name| source(name, '/', &[]));
    let map = [
        ("a", "Mail/x//y"),
        ("b", "INBOX/c/d"),
        ("c", "/e/f"),
        ("d", "Mail/g"),
    ];
    let plans = mapped(&sources, &target("Mail/", '/', vec![]), &map);
    let parents: Vec<Vec<String>> = plans.into_iter().map(|plan| plan.parents).collect();
    assert_eq!(
        parents,
        [vec!["Mail/x"], vec!["INBOX/c"], vec!["/e"], vec![]]
    );
}

#[test]
fn a_prefix_is_taken_off_in_its_own_case_unless_it_is_inbox() {
    let with = |name: &str, prefix: &str| SourceMailbox {
        prefix: prefix.to_owned(),
        ..source(name, '.', &[])
    };
    let empty = target("", '/', vec![]);
    let name = |name: &str, prefix: &str| to(&[with(name, prefix)], &empty, &[]).remove(0);
    assert_eq!(name("Lists.Work", "Lists."), "Work");
    assert_eq!(name("LISTS.Work", "Lists."), "LISTS/Work");
    assert_eq!(name("Inbox.Work", "INBOX."), "Work");
}

#[test]
fn where_a_mailbox_went_before_binds_nobody_that_folder_map_sends_elsewhere() {
    let sources = [
        SourceMailbox {
            before: Some("Envoy\u{e9}s".to_owned()),
            ..source("Sent", '/', &[])
        },
        source("Gesendet", '/', &["\\Sent"]),
    ];
    let there = target("", '/', vec![present("Envoy\u{e9}s", &["\\Sent"])]);
    let names = to(&sources, &there, &[("Sent", "Post")]);
    assert_eq!(names, ["Post", "Envoy\u{e9}s"]);
}

#[test]
fn a_twin_in_another_case_takes_no_special_mailbox_away() {
    let sources = [source("Sent", '/', &["\\Sent"]), source("SENT", '/', &[])];
    let there = target(
        "",
        '/',
        vec![present("Sent", &[]), present("Sent Items", &[])],
    );
    assert_eq!(to(&sources, &there, &[]), ["Sent", "SENT (2)"]);
}

#[test]
fn a_name_of_one_level_keeps_the_prefix_as_it_is() {
    assert_eq!(flattened("INBOX.a.b", '.', "INBOX."), "INBOX.a%2Eb");
    assert_eq!(flattened("a.b", '.', "INBOX."), "a%2Eb");
}

#[test]
fn why_a_mailbox_is_called_so_is_said() {
    let sources = [
        source("INBOX", '/', &[]),
        source("Work", '/', &[]),
        source("Work/a.b", '/', &[]),
        source("Work/c", '/', &[]),
        source("INBOX/sub", '/', &[]),
        source("work", '/', &[]),
    ];
    let why = |target: &Target, map: &[(&str, &str)]| -> Vec<String> {
        let said = |plan: Mapped| plan.why.iter().map(ToString::to_string).collect::<Vec<_>>();
        let plans = mapped(&sources, target, map).into_iter();
        plans.map(|plan| said(plan).join(", ")).collect()
    };
    let same = "same name";
    let taken = "name is taken";
    assert_eq!(
        why(&target("", '/', vec![]), &[]),
        [same, same, same, same, same, taken]
    );
    assert_eq!(
        why(&target("", '.', vec![]), &[]),
        [
            same,
            same,
            "sanitised, delimiter",
            "delimiter",
            "delimiter",
            taken
        ]
    );
    assert_eq!(
        why(&target("INBOX.", '.', vec![]), &[]),
        [
            same,
            "prefix",
            "sanitised, prefix, delimiter",
            "prefix, delimiter",
            "delimiter",
            "prefix, name is taken"
        ]
    );
    assert_eq!(
        why(&target("INBOX.", '.', vec![]), &[("Work", "Past")]),
        [
            same,
            "mapped by config (folder_map)",
            "its parent, sanitised, delimiter",
            "its parent, delimiter",
            "delimiter",
            "prefix"
        ]
    );
}
