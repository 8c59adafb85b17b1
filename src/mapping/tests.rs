use super::*;
use crate::mailbox::display_name;

fn source(name: &str, delimiter: char, attributes: &[&str]) -> Source {
    Source {
        name: name.to_owned(),
        delimiter: Some(delimiter),
        attributes: attributes.iter().map(|a| (*a).to_owned()).collect(),
    }
}

fn present(name: &str, attributes: &[&str]) -> Present {
    Present {
        name: name.to_owned(),
        wire: encode_utf7(name),
        attributes: attributes.iter().map(|a| (*a).to_owned()).collect(),
    }
}

fn target(prefix: &str, delimiter: char, present: Vec<Present>) -> Target {
    Target {
        present,
        prefix: prefix.to_owned(),
        delimiter: Some(delimiter),
    }
}

fn names(sources: &[Source], target: &Target) -> Vec<String> {
    let plans = plan(sources, target, &BTreeMap::new());
    plans.into_iter().map(|mapped| mapped.name).collect()
}

#[test]
fn delimiter_and_prefix_are_the_targets() {
    let sources = [
        source("INBOX", '/', &[]),
        source("Work/v1.0", '/', &[]),
        source("Work/100%.x", '/', &[]),
        source("INBOX/sub", '/', &[]),
    ];
    assert_eq!(
        names(
            &sources,
            &target("INBOX.", '.', vec![present("INBOX", &[])])
        ),
        [
            "INBOX",
            "INBOX.Work.v1%2E0",
            "INBOX.Work.100%25%2Ex",
            "INBOX.sub"
        ]
    );
    let back = [
        source("INBOX", '.', &[]),
        source("INBOX.Work.a/b", '.', &[]),
        source("INBOX.Sent", '.', &[]),
    ];
    assert_eq!(
        names(&back, &target("", '/', vec![present("INBOX", &[])])),
        ["INBOX", "Work/a%2Fb", "Sent"]
    );
}

#[test]
fn special_use_goes_to_the_same_use_and_children_follow() {
    let sources = [
        source("INBOX", '/', &[]),
        source("Sent", '/', &[]),
        source("Gesendete Objekte", '/', &["\\Sent"]),
        source("Gesendete Objekte/2020", '/', &[]),
        source("Deleted Items", '/', &[]),
        source("Spam", '/', &[]),
    ];
    let on_b = target(
        "",
        '.',
        vec![
            present("INBOX", &[]),
            present("Envoyés", &["\\Sent"]),
            present("Trash", &[]),
            present("Drafts", &["\\Drafts"]),
        ],
    );
    let plans = plan(&sources, &on_b, &BTreeMap::new());
    let names: Vec<&str> = plans.iter().map(|mapped| mapped.name.as_str()).collect();
    assert_eq!(
        names,
        ["INBOX", "Sent", "Envoyés", "Envoyés.2020", "Trash", "Spam"]
    );
    assert_eq!(plans[2].why, [Why::SpecialUse]);
    assert_eq!(plans[4].why, [Why::WellKnownName]);
    assert!(plans[4].exists && !plans[5].exists);
}

#[test]
fn folder_map_wins_and_may_join() {
    let sources = [
        source("INBOX", '/', &[]),
        source("Old", '/', &[]),
        source("Older", '/', &[]),
        source("Sent", '/', &["\\Sent"]),
    ];
    let map = [("Old", "Past"), ("Older", "Past"), ("Sent", "Out.box")]
        .map(|(from, to)| (from.to_owned(), to.to_owned()))
        .into();
    let on_b = target(
        "",
        '.',
        vec![present("INBOX", &[]), present("S", &["\\Sent"])],
    );
    let plans = plan(&sources, &on_b, &map);
    let names: Vec<&str> = plans.iter().map(|mapped| mapped.name.as_str()).collect();
    assert_eq!(names, ["INBOX", "Past", "Past", "Out.box"]);
    assert_eq!(plans[3].parents, ["Out"]);
}

#[test]
fn names_that_differ_only_in_case_or_composition_stay_apart() {
    let sources = [
        source("INBOX", '/', &[]),
        source("Work", '/', &[]),
        source("work", '/', &[]),
        source("Caf\u{e9}", '/', &[]),
        source("Cafe\u{301}", '/', &[]),
    ];
    let empty = target("", '/', vec![present("INBOX", &[])]);
    assert_eq!(
        names(&sources, &empty),
        ["INBOX", "Work", "work (2)", "Caf\u{e9}", "Cafe\u{301} (2)"]
    );
    // The second time the target has them: nothing moves.
    let there = names(&sources, &empty);
    let again = target(
        "",
        '/',
        there.iter().map(|name| present(name, &[])).collect(),
    );
    assert_eq!(names(&sources, &again), there);
    // A mailbox of the target that differs only in case is taken.
    let other = target("", '/', vec![present("INBOX", &[]), present("WORK", &[])]);
    assert_eq!(names(&sources[..2], &other), ["INBOX", "WORK"]);
}

#[test]
fn parents_are_those_that_the_target_lacks() {
    let sources = [source("INBOX", '/', &[]), source("a/b/c/d", '/', &[])];
    let on_b = target("INBOX.", '.', vec![present("INBOX.a", &[])]);
    let plans = plan(&sources, &on_b, &BTreeMap::new());
    assert_eq!(plans[1].parents, ["INBOX.a.b", "INBOX.a.b.c"]);
}

#[test]
fn refused_names_get_stricter_and_prefixes_are_learnt() {
    assert_eq!(
        sanitised("a \"b\"/ c .", Some('/'), 1).as_deref(),
        Some("a %22b%22/%20c %2E")
    );
    assert_eq!(sanitised("plain", Some('/'), 1), None);
    assert_eq!(
        sanitised("R&D/é", Some('/'), 3).as_deref(),
        Some("R%26D/%C3%A9")
    );
    assert_eq!(
        learnt_prefix("NO [NONEXISTENT] Client tried to access nonexistent namespace. (Mailbox name should probably be prefixed with: INBOX.) (0.001 secs)")
            .as_deref(),
        Some("INBOX.")
    );
    assert_eq!(learnt_prefix("NO"), None);
}

#[test]
fn modified_utf7_comes_back() {
    for name in [
        "Entwürfe",
        "日本語",
        "R&D",
        "&",
        "a\u{1f4a9}b",
        "plain ~",
        "é-",
        "tab\t",
    ] {
        assert_eq!(display_name(&encode_utf7(name)), name);
    }
    assert_eq!(encode_utf7("Entw\u{fc}rfe & co"), b"Entw&APw-rfe &- co");
}
