use std::collections::{HashMap, HashSet};

use super::names::unescaped;
use super::planner::{folded, is_inbox};
use super::special_use::Use;
use super::*;
use crate::mailbox::Name;

fn source(name: &str, delimiter: char, attributes: &[&str]) -> Source {
    Source {
        name: name.to_owned(),
        delimiter: Some(delimiter),
        attributes: attributes.iter().map(|a| (*a).to_owned()).collect(),
        prefix: String::new(),
        before: None,
    }
}

fn present(name: &str, attributes: &[&str]) -> Present {
    Present {
        name: name.to_owned(),
        wire: Name::new(name).wire().to_vec(),
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

fn mapped(sources: &[Source], target: &Target, map: &[(&str, &str)]) -> Vec<Mapped> {
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
        Source {
            name: "x/y.z".to_owned(),
            delimiter: None,
            attributes: Vec::new(),
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
    let names: Vec<&str> = plans.iter().map(|mapped| mapped.name.as_str()).collect();
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
    there.wire = "Entwürfe".as_bytes().to_vec();
    let on_b = target("", '/', vec![there]);
    let sources = [source("Drafts", '/', &[]), source("Ä", '/', &[])];
    let plans = mapped(&sources, &on_b, &[]);
    assert_eq!(plans[0].wire, "Entwürfe".as_bytes());
    assert_eq!(plans[1].wire, b"&AMQ-");
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
    let names: Vec<&str> = plans.iter().map(|mapped| mapped.name.as_str()).collect();
    assert_eq!(names, ["Work", "Old/x", "Work", "INBOX"]);
}

/// What it shows, the sources, what the target has, where the sources go.
type UseCase<'a> = (&'a str, &'a [Source], &'a [Present], &'a [&'a str]);

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
        let backwards: Vec<Present> = there.iter().rev().cloned().collect();
        assert_eq!(
            names(sources, &target("", '/', backwards)),
            expected,
            "{what}, backwards"
        );
    }
}

/// Small numbers that look random and are the same in every run (xorshift).
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % end
    }

    fn name(&mut self, delimiter: char) -> String {
        let levels = [
            "Sent",
            "sent",
            "Sent Items",
            "Gesendet",
            "Raus",
            "Trash",
            "trash",
            "Work",
            "work",
            "WORK",
            "work (2)",
            "v1.0",
            "v1%2E0",
            "a/b",
            "Caf\u{e9}",
            "Cafe\u{301}",
            "INBOX",
        ];
        let depth = [1, 1, 1, 2, 2, 3][self.below(6)];
        let levels: Vec<&str> = (0..depth)
            .map(|_| levels[self.below(levels.len())])
            .collect();
        let other = if delimiter == '/' { "|" } else { "%" };
        let levels = levels.iter().map(|level| level.replace(delimiter, other));
        levels.collect::<Vec<_>>().join(&delimiter.to_string())
    }

    /// Special uses are at the top, and have a name of that use or one that nobody knows.
    fn attributes(&mut self, name: &str) -> &'static [&'static str] {
        let known = Use::of_levels(&[name]).map(|(found, _)| found);
        match self.below(3) {
            0 if known == Some(Use::Sent) || name == "Raus" => &["\\Sent"],
            1 if known == Some(Use::Trash) || name == "Raus" => &["\\Trash"],
            _ => &[],
        }
    }
}

/// What a target marks by itself.
fn marked(prefix: &str, name: &str) -> &'static [&'static str] {
    match name.strip_prefix(prefix) {
        Some("Sent" | "Sent Items") => &["\\Sent"],
        Some("Trash") => &["\\Trash"],
        _ => &[],
    }
}

/// What a target lists after an import: what the plan told, in another order, some of it marked by the target.
fn after(on_b: &Target, plans: &[Mapped], in_any_case: bool, dice: &mut Dice) -> Target {
    let mut there = on_b.present.clone();
    for mapped in plans {
        for (name, is_parent) in mapped
            .parents
            .iter()
            .map(|parent| (parent, true))
            .chain([(&mapped.name, false)])
        {
            let same = |one: &Present| {
                one.name == *name || in_any_case && folded(&one.name) == folded(name)
            };
            if there.iter().any(same) {
                continue;
            }
            let is_parent = is_parent && !plans.iter().any(|mapped| mapped.name == *name);
            // One made for its children only can otherwise not be told from one that was there before.
            let marked = match marked(&on_b.prefix, name) {
                _ if is_parent => &["\\Noselect"],
                marks => marks,
            };
            there.push(present(name, marked));
        }
    }
    for at in (1..there.len()).rev() {
        there.swap(at, dice.below(at + 1));
    }
    Target {
        present: there,
        ..on_b.clone()
    }
}

fn listed(sources: &[Source]) -> String {
    let all = sources.iter();
    let all = all.map(|source| format!("{:?} {:?}", source.name, source.attributes));
    all.collect::<Vec<_>>().join(", ")
}

fn on(target: &Target) -> String {
    let all = target.present.iter();
    let all = all.map(|there| format!("{:?} {:?}", there.name, there.attributes));
    let (prefix, delimiter) = (&target.prefix, target.delimiter);
    format!(
        "{prefix:?} {delimiter:?} {}",
        all.collect::<Vec<_>>().join(", ")
    )
}

#[test]
fn the_plan_stays_the_same_once_the_target_has_what_it_told() {
    const ROUNDS: u32 = 2_000;
    let mut dice = Dice(0x2545_f491_4f6c_dd1d);
    for round in 0..ROUNDS {
        let from = ['/', '.'][dice.below(2)];
        let mut seen = HashSet::new();
        let mut sources = vec![source("INBOX", from, &[])];
        for _ in 0..dice.below(7) {
            let name = dice.name(from);
            if !is_inbox(&name) && seen.insert(name.clone()) {
                sources.push(source(&name, from, dice.attributes(&name)));
            }
        }
        let (prefix, to) = [("", '/'), ("", '.'), ("INBOX.", '.')][dice.below(3)];
        let mut on_b = target(prefix, to, vec![present("INBOX", &[])]);
        let in_any_case = dice.below(2) == 0;
        for _ in 0..dice.below(4) {
            let plain = dice.name(to);
            let name = format!("{prefix}{plain}");
            let same = |one: &Present| folded(&one.name) == folded(&name);
            if !on_b.present.iter().any(same) {
                let attributes = match marked(prefix, &name) {
                    [] => dice.attributes(&plain),
                    marks => marks,
                };
                on_b.present.push(present(&name, attributes));
            }
        }
        let plans = mapped(&sources, &on_b, &[]);
        let shown = || format!("round {round}: {} on {}", listed(&sources), on(&on_b));
        let mut targets = HashSet::new();
        for mapped in &plans {
            assert!(
                targets.insert(&mapped.name),
                "{} twice, {}",
                mapped.name,
                shown()
            );
            assert_eq!(
                Name::listed(mapped.wire.as_slice()).text(),
                mapped.name,
                "{}",
                shown()
            );
        }
        let then = after(&on_b, &plans, in_any_case, &mut dice);
        let again = mapped(&sources, &then, &[]);
        for (one, other) in plans.iter().zip(&again) {
            let is_same =
                one.name == other.name || in_any_case && folded(&one.name) == folded(&other.name);
            let (from, to) = (&one.name, &other.name);
            assert!(
                is_same,
                "{from:?} becomes {to:?}: {} then {}",
                shown(),
                on(&then)
            );
        }
    }
}

#[test]
fn the_prefix_that_the_source_has_said_is_no_part_of_a_name() {
    let of = |prefix: &str, name: &str, attributes: &[&str]| Source {
        prefix: prefix.to_owned(),
        ..source(name, '/', attributes)
    };
    let sources = [
        of("Mail/", "INBOX", &[]),
        of("Mail/", "Mail/Sent", &["\\Sent"]),
        of("Mail/", "Mail/Projects/2024", &[]),
        of("Mail/", "INBOX/sub", &[]),
        of("Mail/", "Mail", &[]),
        of("Mail/", "shared/team", &[]),
    ];
    let on = |prefix| names(&sources, &target(prefix, '/', vec![present("INBOX", &[])]));
    assert_eq!(
        on("Mail/"),
        [
            "INBOX",
            "Mail/Sent",
            "Mail/Projects/2024",
            "INBOX/sub",
            "Mail/Mail",
            "Mail/shared/team"
        ]
    );
    assert_eq!(
        on(""),
        [
            "INBOX",
            "Sent",
            "Projects/2024",
            "INBOX/sub",
            "Mail",
            "shared/team"
        ]
    );
    // Case means nothing in INBOX, and what is not below it keeps its place.
    let sources = [of("INBOX/", "Inbox/Work", &[]), of("INBOX/", "user/x", &[])];
    let on_b = target("", '/', vec![present("INBOX", &[])]);
    assert_eq!(names(&sources, &on_b), ["Work", "user/x"]);
}

/// The same, imported before.
fn imported(name: &str, before: &str) -> Source {
    Source {
        before: Some(before.to_owned()),
        ..source(name, '/', &[])
    }
}

#[test]
fn what_went_somewhere_goes_there_again_and_a_newcomer_gets_a_name_of_its_own() {
    let there = ["INBOX", "Sent", "Work", "Work (2)", "Work/sub"];
    let on_b = target("", '/', there.map(|name| present(name, &[])).to_vec());
    let sources = [
        imported("Gesendet", "Sent"),
        // Two that look the same, each where it was; and one below the first of them.
        imported("Work", "Work"),
        imported("Work", "Work (2)"),
        source("Work/sub", '/', &[]),
        source("Sent", '/', &[]),
    ];
    assert_eq!(
        names(&sources, &on_b),
        ["Sent", "Work", "Work (2)", "Work/sub", "Sent (2)"]
    );
    // One that is gone from the target is planned as if it had never been there.
    let sources = [imported("Old", "Elsewhere")];
    assert_eq!(names(&sources, &on_b), ["Old"]);
}
