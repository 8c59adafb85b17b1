//! The rules of the house hold themselves: who in `src` may use whom, and that each name stands for one thing, read from
//! the source.
//!
//! It knows no behaviour. A rule that fails here names the file and what it reaches.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Who must not reach whom, by the beginnings of module paths, and why.
const FORBIDDEN: &[(&str, &[&str], &str)] = &[
    (
        "session",
        &["archive"],
        "the session knows IMAP and no files",
    ),
    (
        "archive",
        &["session"],
        "the archive knows files and no IMAP",
    ),
    (
        "credential",
        &["session", "archive", "commands"],
        "a credential knows HTTP and files, nothing of their use",
    ),
    (
        "message",
        &["session", "archive", "commands", "settings", "config"],
        "messages are pure",
    ),
    (
        "mapping",
        &["session", "archive", "commands", "settings", "config"],
        "the mapping is pure",
    ),
    (
        "compare",
        &["session", "archive", "commands", "settings", "config"],
        "the comparison is pure",
    ),
    (
        "mailbox",
        &["session", "archive", "commands"],
        "a mailbox name is a value",
    ),
    (
        "disk",
        &["session", "archive", "commands", "settings", "report"],
        "the door to the disk knows no content",
    ),
    (
        "report",
        &["settings", "commands", "cli"],
        "the report knows no command",
    ),
    (
        "target",
        &["commands", "cli"],
        "the target's floor is below the commands",
    ),
];

/// Those that may see clap and what it parsed.
const SEES_CLAP: &[&str] = &["cli", "program", "settings"];

/// One command may use another only here.
const COMMANDS_TOGETHER: &[(&str, &str)] = &[
    ("export", "audit"),
    ("migrate", "export"),
    ("migrate", "audit"),
    ("migrate", "import"),
    ("migrate", "validate"),
    ("migrate", "check"),
];

/// Helpers of the commands, not commands.
const BESIDE_COMMANDS: &[&str] = &["before", "provision"];

/// What each module of the library uses of the crate, by file.
fn uses() -> BTreeMap<String, BTreeSet<String>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    walk(&root, &mut files);
    let modules: BTreeSet<String> = files.iter().map(|file| module_of(&root, file)).collect();
    files
        .iter()
        .filter(|file| !is_test(&root, file))
        .map(|file| {
            let module = module_of(&root, file);
            let text = fs::read_to_string(file).expect("a source file");
            let text = text.split("\n#[cfg(test)]").next().unwrap_or_default();
            let reached = reached(text, &module, &modules);
            (module, reached)
        })
        .collect()
}

fn walk(dir: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).expect("a folder of the source") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            walk(&path, files);
        } else if path.extension().is_some_and(|end| end == "rs") {
            files.push(path);
        }
    }
}

fn is_test(root: &Path, file: &Path) -> bool {
    let inside = file.strip_prefix(root).expect("below src");
    inside.with_extension("").iter().any(|word| word == "tests")
}

/// `src/session/lane.rs` is `session::lane`, `src/lib.rs` and `src/main.rs` are the crate.
fn module_of(root: &Path, file: &Path) -> String {
    let inside = file
        .strip_prefix(root)
        .expect("below src")
        .with_extension("");
    let mut words: Vec<String> = inside
        .iter()
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    if words.last().is_some_and(|word| word == "mod") || words == ["lib"] || words == ["main"] {
        words.pop();
    }
    words.join("::")
}

/// Modules that a source text names, behind `crate::` or `super::`, nested braces taken apart.
fn reached(text: &str, module: &str, modules: &BTreeSet<String>) -> BTreeSet<String> {
    let code: String = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .flat_map(|line| line.chars().chain(['\n']))
        .collect();
    let mut paths = Vec::new();
    for start in ["crate::", "super::", "imapsync_bulk_migrator::"] {
        for (at, _) in code.match_indices(start) {
            let before = code[..at].chars().next_back().unwrap_or(' ');
            if before.is_alphanumeric() || before == '_' || before == ':' {
                continue;
            }
            expand(&code[at..], "", &mut paths);
        }
    }
    paths
        .iter()
        .filter_map(|path| resolve(path, module, modules))
        .filter(|reached| reached != module)
        .collect()
}

/// The paths of a tree such as `crate::a::{b, c::{d}}`, as far as they go.
fn expand(text: &str, prefix: &str, paths: &mut Vec<String>) -> usize {
    let mut path = prefix.to_owned();
    let mut at = 0;
    loop {
        let rest = &text[at..];
        let word = rest
            .find(|c: char| !c.is_alphanumeric() && c != '_')
            .unwrap_or(rest.len());
        path.push_str(&rest[..word]);
        at += word;
        if !text[at..].starts_with("::") {
            break;
        }
        path.push_str("::");
        at += 2;
        if text[at..].starts_with('{') {
            at += 1;
            while at < text.len() && !text[at..].starts_with('}') {
                let blank = text[at..]
                    .find(|c: char| !c.is_whitespace() && c != ',')
                    .unwrap_or(0);
                at += blank;
                if text[at..].starts_with('}') {
                    break;
                }
                let went = expand(&text[at..], &path, paths);
                let alias = text[at + went..].find([',', '}']).unwrap_or(0);
                at += (went + alias).max(1);
            }
            return at + 1;
        }
    }
    paths.push(path);
    at
}

/// The longest beginning of a path that is a module.
fn resolve(path: &str, module: &str, modules: &BTreeSet<String>) -> Option<String> {
    let mut words: Vec<&str> = path.split("::").filter(|word| !word.is_empty()).collect();
    let mut base: Vec<&str> = module.split("::").filter(|word| !word.is_empty()).collect();
    match words.first() {
        Some(&("crate" | "imapsync_bulk_migrator")) => {
            words.remove(0);
            base.clear();
        }
        _ => {
            while words.first() == Some(&"super") {
                words.remove(0);
                base.pop();
            }
        }
    }
    base.extend(words);
    while !base.is_empty() && !modules.contains(&base.join("::")) {
        base.pop();
    }
    (!base.is_empty()).then(|| base.join("::"))
}

fn is_below(module: &str, floor: &str) -> bool {
    module == floor
        || module
            .strip_prefix(floor)
            .is_some_and(|rest| rest.starts_with("::"))
}

#[test]
fn no_floor_reaches_what_it_must_not_know() {
    let mut broken = Vec::new();
    for (module, reached) in uses() {
        for (floor, not, why) in FORBIDDEN {
            if !is_below(&module, floor) {
                continue;
            }
            let bad = reached
                .iter()
                .filter(|to| not.iter().any(|not| is_below(to, not)));
            broken.extend(bad.map(|to| format!("{module} reaches {to}: {why}")));
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn nothing_below_the_settings_sees_the_command_line() {
    let mut broken = Vec::new();
    for (module, reached) in uses() {
        if module.is_empty() || SEES_CLAP.iter().any(|floor| is_below(&module, floor)) {
            continue;
        }
        broken.extend(
            reached
                .iter()
                .filter(|to| is_below(to, "cli"))
                .map(|to| format!("{module} reaches {to}")),
        );
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn no_command_reaches_another() {
    let command = |module: &str| {
        let rest = module.strip_prefix("commands::")?;
        let name = rest.split("::").next().unwrap_or_default();
        (!BESIDE_COMMANDS.contains(&name)).then(|| name.to_owned())
    };
    let mut broken = Vec::new();
    for (module, reached) in uses() {
        let Some(from) = command(&module) else {
            continue;
        };
        for to in &reached {
            let Some(other) = command(to) else { continue };
            if from != other && !COMMANDS_TOGETHER.contains(&(&from, &other)) {
                broken.push(format!("{module} reaches {to}"));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

/// IMAP's commands, but for those that are words of other things as well.
const COMMANDS: &[&str] = &[
    "APPEND",
    "CAPABILITY",
    "CREATE",
    "EXAMINE",
    "EXPUNGE",
    "GETQUOTAROOT",
    "LIST",
    "LOGOUT",
    "LSUB",
    "NAMESPACE",
    "NOOP",
    "SELECT",
    "STATUS",
    "SUBSCRIBE",
    "UNSELECT",
];

/// True for a string literal that is a command, or begins as one: a sentence about one goes on in small letters.
fn is_command(literal: &str) -> bool {
    let (first, rest) = literal.split_once(' ').unwrap_or((literal, ""));
    let second = rest.split(' ').next().unwrap_or_default();
    let goes_on = second.starts_with(['(', '"', '{', '\\'])
        || !second.is_empty() && second.chars().all(char::is_uppercase);
    COMMANDS.contains(&first) && (goes_on || rest.is_empty())
        || matches!(first, "ID" | "UID") && goes_on
}

#[test]
fn every_command_is_spelled_in_the_session() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    walk(&root, &mut files);
    let mut broken = Vec::new();
    for file in files.iter().filter(|file| !is_test(&root, file)) {
        let module = module_of(&root, file);
        // A table's head is no command.
        if is_below(&module, "session") || is_below(&module, "report::html") {
            continue;
        }
        let text = fs::read_to_string(file).expect("a source file");
        let text = text.split("\n#[cfg(test)]").next().unwrap_or_default();
        broken.extend(
            text.split('"')
                .filter(|literal| is_command(literal))
                .map(|literal| format!("{module} spells {literal}")),
        );
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

/// What makes, changes, locks or removes a file.
const WRITES: &[&str] = &[
    "DirBuilder",
    "File::create",
    "File::options",
    "OpenOptions",
    "fs2::",
    "fs::copy",
    "fs::create_dir",
    "fs::hard_link",
    "fs::remove",
    "fs::rename",
    "fs::symlink(",
    "fs::write",
    "set_permissions",
];

/// What follows a symlink on its way to a file: for what the user named, never in an archive.
const FOLLOWS: &[&str] = &[
    "File::open",
    "fs::metadata",
    "fs::read(",
    "fs::read_to_string",
];

#[test]
fn there_is_one_door_to_the_disk() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    walk(&root, &mut files);
    let mut broken = Vec::new();
    for file in files.iter().filter(|file| !is_test(&root, file)) {
        let module = module_of(&root, file);
        if is_below(&module, "disk") {
            continue;
        }
        let follows = if is_below(&module, "archive") {
            FOLLOWS
        } else {
            &[]
        };
        let text = fs::read_to_string(file).expect("a source file");
        let text = text.split("\n#[cfg(test)]").next().unwrap_or_default();
        let bad = WRITES
            .iter()
            .chain(follows)
            .filter(|word| text.contains(**word));
        broken.extend(bad.map(|word| format!("{module} has {word}: all files go through disk")));
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

/// Names that stand in several places and mean the same in each: what an error module returns, and a mailbox at work,
/// in an export and on the target's floor.
const SAME_EVERYWHERE: &[&str] = &["Result", "Job", "JobId", "Jobs"];

#[test]
fn a_type_name_stands_for_one_thing() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    walk(&root, &mut files);
    let mut places: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for file in files.iter().filter(|file| !is_test(&root, file)) {
        let text = fs::read_to_string(file).expect("a source file");
        for name in text.lines().filter_map(declared) {
            let place = module_of(&root, file);
            places.entry(name.to_owned()).or_default().push(place);
        }
    }
    let several = places
        .iter()
        .filter(|(name, places)| places.len() > 1 && !SAME_EVERYWHERE.contains(&name.as_str()));
    let broken: Vec<String> = several
        .map(|(name, places)| format!("{name} is declared in {}", places.join(", ")))
        .collect();
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

/// The type or trait that a line declares, unless it is indented: then it is private to a function or an `impl`.
fn declared(line: &str) -> Option<&str> {
    let mut line = line;
    if let Some(rest) = line.strip_prefix("pub") {
        line = match rest.strip_prefix('(') {
            Some(rest) => rest.split_once(')')?.1,
            None => rest,
        }
        .trim_start();
    }
    let rest = ["struct ", "enum ", "trait ", "type "]
        .iter()
        .find_map(|word| line.strip_prefix(word))?;
    rest.split(|c: char| !c.is_alphanumeric() && c != '_')
        .next()
}

#[test]
fn a_command_is_told_from_a_sentence_about_one() {
    for command in [
        "EXAMINE",
        "UID FETCH {set} (UID FLAGS)",
        "STATUS \\",
        "EXAMINE INBOX",
    ] {
        assert!(is_command(command), "{command}");
    }
    for sentence in [
        "EXAMINE is refused: {}",
        "FETCH",
        "LIST names no mailbox",
        "",
    ] {
        assert!(!is_command(sentence), "{sentence}");
    }
}

/// A folder's `mod.rs` and its files may know each other; two files that stand beside each other may not.
#[test]
fn no_two_files_need_each_other() {
    let uses = uses();
    let mut broken = Vec::new();
    for (module, reached) in &uses {
        for to in reached {
            let back = uses.get(to).is_some_and(|back| back.contains(module));
            if back && module < to && !is_below(to, module) && !is_below(module, to) {
                broken.push(format!("{module} and {to} need each other"));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn the_reader_of_use_lines_reads_them() {
    let modules = ["a", "a::b", "a::c", "d"].map(String::from).into();
    let text = "use super::c::{Thing, other};\nuse crate::{a::{b::X as Y, c}, d};\n// use crate::nothing;\nfn f() { crate::d::g(); }\n";
    let found = reached(text, "a::b", &modules);
    assert_eq!(found, ["a::c", "d"].map(String::from).into());
}
