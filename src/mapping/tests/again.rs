//! What is planned a second time, when the target has what the first plan made.

use super::*;

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
            .map(|parent| (parent.as_str(), true))
            .chain([(mapped.name.text(), false)])
        {
            let same = |one: &Listed| {
                one.name.text() == name || in_any_case && folded(one.name.text()) == folded(name)
            };
            if there.iter().any(same) {
                continue;
            }
            let is_parent = is_parent && !plans.iter().any(|mapped| mapped.name.text() == name);
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

fn listed(sources: &[SourceMailbox]) -> String {
    let all = sources.iter();
    let all = all.map(|source| format!("{:?} {:?}", source.name(), source.listed.attributes));
    all.collect::<Vec<_>>().join(", ")
}

fn on(target: &Target) -> String {
    let all = target.present.iter();
    let all = all.map(|there| format!("{:?} {:?}", there.name.text(), there.attributes));
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
            let same = |one: &Listed| folded(one.name.text()) == folded(&name);
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
                targets.insert(mapped.name.text()),
                "{} twice, {}",
                mapped.name.text(),
                shown()
            );
            assert_eq!(
                Name::listed(mapped.name.wire()).text(),
                mapped.name.text(),
                "{}",
                shown()
            );
        }
        let then = after(&on_b, &plans, in_any_case, &mut dice);
        let again = mapped(&sources, &then, &[]);
        for (one, other) in plans.iter().zip(&again) {
            let (from, to) = (one.name.text(), other.name.text());
            let is_same = from == to || in_any_case && folded(from) == folded(to);
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
    let of = |prefix: &str, name: &str, attributes: &[&str]| SourceMailbox {
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
fn imported(name: &str, before: &str) -> SourceMailbox {
    SourceMailbox {
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
