mod again;
mod apart;
mod uses;

use std::collections::{HashMap, HashSet};

use super::names::unescaped;
use super::planner::{folded, is_inbox};
use super::special_use::Use;
use super::*;

fn source(name: &str, delimiter: char, attributes: &[&str]) -> SourceMailbox {
    SourceMailbox {
        listed: Listed {
            delimiter: Some(delimiter),
            ..present(name, attributes)
        },
        prefix: String::new(),
        before: None,
    }
}

fn present(name: &str, attributes: &[&str]) -> Listed {
    Listed {
        name: Name::new(name),
        delimiter: None,
        attributes: attributes.iter().map(|a| (*a).to_owned()).collect(),
    }
}

fn target(prefix: &str, delimiter: char, present: Vec<Listed>) -> Target {
    Target {
        present,
        prefix: prefix.to_owned(),
        delimiter: Some(delimiter),
    }
}

fn names(sources: &[SourceMailbox], target: &Target) -> Vec<String> {
    let plans = plan(sources, target, &BTreeMap::new());
    plans
        .into_iter()
        .map(|mapped| mapped.name.text().to_owned())
        .collect()
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
            "INBOX.Work.100%%2Ex",
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
    let names: Vec<&str> = plans.iter().map(|mapped| mapped.name.text()).collect();
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
    let names: Vec<&str> = plans.iter().map(|mapped| mapped.name.text()).collect();
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
fn refused_names_get_stricter_and_can_be_undone() {
    let table = [
        ("a \"b\"/ c .", 1, Some("a %22b%22/%20c %2E")),
        ("a  b//x/%", 1, Some("a %20b/%/x/%25")),
        ("50%/5%22", 1, Some("50%/5%2522")),
        ("plain/R&D", 1, None),
        // Cyrus refuses `%` in every name.
        ("R&D/v1.0/é=3D", 2, Some("R=26D/v1=2E0/é=3D3D")),
        ("R&D/é", 3, Some("R=26D/=C3=A9")),
        ("R&D", 4, None),
    ];
    for (name, attempt, expected) in table {
        let other = sanitised(name, Some('/'), attempt);
        assert_eq!(other.as_deref(), expected, "{name} {attempt}");
    }
    // What the plan encoded is encoded anew, not twice.
    let planned = |name, attempt| sanitised(name, Some('.'), attempt);
    assert_eq!(planned("INBOX.v1%2E0", 1), None);
    assert_eq!(planned("INBOX.v1%2E0", 2).as_deref(), Some("INBOX.v1=2E0"));
    assert_eq!(
        planned("INBOX.v1%252E0", 2).as_deref(),
        Some("INBOX.v1=252E0")
    );
    assert_eq!(sanitised("a%2Fb*", None, 1).as_deref(), Some("a%252Fb%2A"));
}

#[test]
fn names_that_are_refused_for_what_they_are_get_another_from_which_they_can_be_read() {
    assert_eq!(
        masked("INBOX.cur.sub", Some('.'), "INBOX."),
        [
            "INBOX.%63ur.sub",
            "INBOX.cur.%73ub",
            "INBOX.%63ur.%73ub",
            "INBOX.=63ur.sub",
            "INBOX.cur.=73ub",
            "INBOX.=63ur.=73ub"
        ]
    );
    assert_eq!(masked("é", None, "")[..2], ["%C3%A9", "%C3%A9"]);
}

#[test]
fn levels_that_are_too_long_are_cut_and_stay_different() {
    let short = |name: &str, longest| shortened(name, Some('/'), "", longest);
    let (one, other) = ("x".repeat(300), format!("{}y", "x".repeat(299)));
    let cut = short(&one, 240).expect("another name");
    assert_eq!(cut.len(), 240);
    assert!(cut.starts_with(&"x".repeat(231)) && cut.as_bytes()[231] == b'~');
    assert_ne!(Some(cut.clone()), short(&other, 240));
    // What is below it stays there, and what is short stays as it is.
    assert_eq!(
        short(&format!("a/{one}/b"), 240),
        Some(format!("a/{cut}/b"))
    );
    assert_eq!(short("a/b", 16), None);
    // Bytes on the wire count, and characters stay whole.
    let japanese = short(&"日".repeat(100), 30).expect("another name");
    assert!(Name::new(&japanese).wire().len() <= 32, "{japanese}");
    assert!(japanese.starts_with('日'));
    assert_eq!(shortened("INBOX.abc", Some('.'), "INBOX.", 3), None);
}

#[test]
fn no_two_names_become_one_by_encoding() {
    // All levels of up to four characters of those that matter.
    let alphabet = ['%', '=', '2', '5', 'E', '.', ' ', '*'];
    let mut levels = vec![String::new()];
    for start in 0..4 {
        let longest = levels.iter().filter(|level| level.len() == start);
        let longer: Vec<String> = longest
            .flat_map(|level| alphabet.map(|c| format!("{level}{c}")))
            .collect();
        levels.extend(longer);
    }
    for delimiter in ['/', '.'] {
        let (on_b, map) = (target("", delimiter, Vec::new()), BTreeMap::new());
        let planner = Planner::new(&[], &on_b, &map);
        let mut encodings = HashMap::new();
        for level in &levels {
            let encoded = planner.level(level);
            assert!(!encoded.contains(delimiter));
            let undone = unescaped(&encoded, '%', |c| c.is_control() || c == delimiter);
            assert_eq!(undone.as_ref(), Some(level), "{encoded}");
            assert_eq!(encodings.insert(encoded, level), None);
        }
        for attempt in 1..=3 {
            let mut seen = HashMap::new();
            for name in encodings.keys() {
                let other = sanitised(name, Some(delimiter), attempt);
                let other = other.unwrap_or_else(|| name.clone());
                let before = seen.insert(other.clone(), name);
                assert_eq!(before, None, "{name:?} becomes {other:?} too ({attempt})");
            }
        }
    }
}

#[test]
fn prefixes_are_learnt_from_refusals() {
    for (words, prefix) in [
        (
            "NO [NONEXISTENT] Client tried to access nonexistent namespace. (Mailbox name should probably be prefixed with: INBOX.) (0.001 secs)",
            Some("INBOX."),
        ),
        (
            "Invalid mailbox name: Name should probably be prefixed with: INBOX.",
            Some("INBOX."),
        ),
        ("Name should be prefixed with \"INBOX/\"", Some("INBOX/")),
        ("must be prefixed with:", None),
        ("NO", None),
    ] {
        assert_eq!(learnt_prefix(words).as_deref(), prefix, "{words}");
    }
}

fn mapped(sources: &[SourceMailbox], target: &Target, map: &[(&str, &str)]) -> Vec<Mapped> {
    let map = map
        .iter()
        .map(|(from, to)| ((*from).to_owned(), (*to).to_owned()));
    plan(sources, target, &map.collect())
}

#[test]
fn flat_names_and_flat_targets_lose_no_level() {
    let flat = Target {
        present: vec![present("INBOX", &[])],
        prefix: String::new(),
        delimiter: None,
    };
    let sources = [
        source("a/b", '/', &[]),
        source("a%2Fb", '/', &[]),
        source("INBOX/sub", '/', &[]),
        SourceMailbox {
            listed: present("x/y.z", &[]),
            prefix: String::new(),
            before: None,
        },
    ];
    assert_eq!(
        names(&sources, &flat),
        ["a%2Fb", "a%252Fb", "INBOX%2Fsub", "x/y.z"]
    );
    let dotted = target("", '.', Vec::new());
    assert_eq!(names(&sources[3..], &dotted), ["x/y%2Ez"]);
}

#[test]
fn control_characters_are_always_encoded() {
    let sources = [source("a\r\nb\0/c\u{85}", '/', &[])];
    assert_eq!(
        names(&sources, &target("", '/', Vec::new())),
        ["a%0D%0Ab%00/c%C2%85"]
    );
}

#[test]
fn only_inbox_goes_to_inbox() {
    let sources = [source("inbox", '.', &[]), source("INBOX.INBOX", '.', &[])];
    assert_eq!(
        names(&sources, &target("", '/', vec![present("INBOX", &[])])),
        ["INBOX", "INBOX (2)"]
    );
    let prefixed = target("INBOX.", '.', vec![present("INBOX", &[])]);
    assert_eq!(names(&sources, &prefixed), ["INBOX", "INBOX.INBOX"]);
    let alone = [source("INBOX.inbox", '.', &[]), source("Inbox.x", '.', &[])];
    assert_eq!(
        names(&alone, &target("", '/', Vec::new())),
        ["inbox (2)", "x"]
    );
}

#[test]
fn children_follow_their_parents() {
    let sources = [
        source("Work", '/', &[]),
        source("work", '/', &[]),
        source("work/x", '/', &[]),
        source("Old/y", '/', &[]),
        source("Gesendet/2019/Q1", '/', &[]),
        source("Gesendet", '/', &["\\Sent"]),
    ];
    let on_b = target(
        "",
        '/',
        vec![present("OLD", &[]), present("Sent", &["\\Sent"])],
    );
    let plans = mapped(&sources, &on_b, &[]);
    let names: Vec<&str> = plans.iter().map(|mapped| mapped.name.text()).collect();
    assert_eq!(
        names,
        [
            "Work",
            "work (2)",
            "work (2)/x",
            "OLD/y",
            "Sent/2019/Q1",
            "Sent"
        ]
    );
    assert_eq!(plans[1].why, [Why::Collision]);
    assert_eq!(plans[2].why, [Why::Parent]);
    assert_eq!(plans[4].parents, ["Sent/2019"]);
}

#[test]
fn a_mailbox_that_can_have_no_children_gets_none() {
    let on_b = target("", '/', vec![present("INBOX", &["\\Noinferiors"])]);
    let sources = [source("INBOX/sub", '/', &[]), source("Work", '/', &[])];
    assert_eq!(names(&sources, &on_b), ["INBOX%2Fsub", "Work"]);
    // It has some, whatever it says.
    let mut contrary = on_b;
    contrary.present.push(present("INBOX/other", &[]));
    assert_eq!(names(&sources, &contrary), ["INBOX/sub", "Work"]);
}

#[test]
fn a_mailbox_that_cannot_be_selected_is_no_place_yet() {
    let on_b = target(
        "",
        '/',
        vec![
            present("Sent", &["\\NoSelect"]),
            present("Sent Items", &[]),
            present("Work", &["\\Noselect"]),
        ],
    );
    let sources = [source("Gesendet", '/', &[]), source("Work/x", '/', &[])];
    assert_eq!(names(&sources, &on_b), ["Sent Items", "Work/x"]);
    let plans = mapped(&[source("Work", '/', &[])], &on_b, &[]);
    assert!(!plans[0].exists, "it must be created");
}

#[test]
fn the_target_is_named_by_the_bytes_that_it_lists() {
    let mut there = present("Entwürfe", &["\\Drafts"]);
    there.name = Name::listed("Entwürfe");
    let on_b = target("", '/', vec![there]);
    let sources = [source("Drafts", '/', &[]), source("Ä", '/', &[])];
    let plans = mapped(&sources, &on_b, &[]);
    assert_eq!(plans[0].name.wire(), "Entwürfe".as_bytes());
    assert_eq!(plans[1].name.wire(), b"&AMQ-");
}

#[test]
fn folder_map_may_join_with_a_mailbox_that_keeps_its_name() {
    let sources = [
        source("Old", '/', &[]),
        source("Old/x", '/', &[]),
        source("Work", '/', &[]),
        source("Eingang", '/', &[]),
    ];
    let on_b = target("", '/', Vec::new());
    let plans = mapped(&sources, &on_b, &[("Old", "Work"), ("Eingang", "inbox")]);
    let names: Vec<&str> = plans.iter().map(|mapped| mapped.name.text()).collect();
    assert_eq!(names, ["Work", "Old/x", "Work", "INBOX"]);
}

/// What it shows, the sources, what the target has, where the sources go.
type UseCase<'a> = (&'a str, &'a [SourceMailbox], &'a [Listed], &'a [&'a str]);

#[test]
fn why_a_mailbox_is_named_otherwise_is_told_rightly() {
    let whys = |names: &[&str], prefix: &str, delimiter: char| -> Vec<Vec<Why>> {
        let sources: Vec<SourceMailbox> = names.iter().map(|name| source(name, '/', &[])).collect();
        let plans = plan(
            &sources,
            &target(prefix, delimiter, Vec::new()),
            &BTreeMap::new(),
        );
        plans.into_iter().map(|mapped| mapped.why).collect()
    };
    let all = ["Work", "a.b", "Work/2024", "Work/a.b", "INBOX/Sub"];
    assert_eq!(
        whys(&all, "", '.'),
        [
            vec![Why::Same],
            vec![Why::Sanitised],
            vec![Why::Delimiter],
            vec![Why::Sanitised, Why::Delimiter],
            vec![Why::Delimiter],
        ]
    );
    assert_eq!(
        whys(&all, "INBOX/", '/'),
        [
            vec![Why::Prefix],
            vec![Why::Prefix],
            vec![Why::Prefix],
            vec![Why::Prefix],
            vec![Why::Same],
        ]
    );
}

#[test]
fn a_name_that_differs_in_the_case_of_inbox_only_is_the_same() {
    let sources = [SourceMailbox {
        prefix: "INBOX.".to_owned(),
        ..source("Inbox.Work", '.', &[])
    }];
    let plans = mapped(&sources, &target("INBOX.", '.', Vec::new()), &[]);
    assert_eq!(plans[0].name.text(), "INBOX.Work");
    assert_eq!(plans[0].why, [Why::Same]);
}

/// Some servers list the directory of their namespace itself.
#[test]
fn a_mailbox_that_is_called_as_its_namespace_keeps_its_name() {
    let of = |name: &str| SourceMailbox {
        prefix: "Mail/".to_owned(),
        ..source(name, '/', &[])
    };
    let sources = [of("Mail/"), of("Mail/Work"), of("Work")];
    let there = target("", '/', Vec::new());
    let found = names(&sources, &there);
    assert_eq!(found[1..], ["Work", "Work (2)"], "{found:?}");
    assert_eq!(found[0], "Mail/", "{found:?}");
}
