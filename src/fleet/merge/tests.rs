use super::*;
use crate::fleet::shard::Part;
use crate::mode::Mode;
use crate::report::Compared;

fn part(index: u32, accounts: &[&str]) -> Report {
    let accounts: Vec<AccountReport> = accounts
        .iter()
        .map(|name| AccountReport {
            status: Status::Complete,
            counts: Counts {
                new: 2,
                ..Counts::default()
            },
            ..AccountReport::new(name)
        })
        .collect();
    let mut report = Report::for_tests(Mode::Migrate, accounts);
    report.count();
    report.config_sha256 = "c0ffee".to_owned();
    report.shard = Some(Part {
        shard: Shard { index, count: 3 },
        accounts: report.accounts.len(),
        configured: 4,
    });
    report
}

fn merged(parts: Vec<Report>) -> Result<Merged> {
    let mut merging = Merging::default();
    for (number, part) in parts.into_iter().enumerate() {
        merging.add(&format!("{number}.json"), part);
    }
    merging.finish()
}

fn three() -> Vec<Report> {
    vec![part(2, &["b", "c"]), part(1, &["a"]), part(3, &["d"])]
}

#[test]
fn all_shards_make_one_report_whatever_their_order() {
    let whole = merged(three()).expect("one report");
    assert!(whole.missing.is_empty());
    let names: Vec<&str> = whole
        .report
        .accounts
        .iter()
        .map(|account| account.account.as_str())
        .collect();
    assert_eq!(names, ["a", "b", "c", "d"]);
    assert_eq!(whole.report.totals.new, 8);
    assert_eq!(
        (whole.report.exit_code, whole.report.shards.len()),
        (Exit::Clean, 3)
    );
}

#[test]
fn a_missing_shard_is_named_and_the_run_is_not_clean() {
    let mut parts = three();
    parts.remove(1);
    let whole = merged(parts).expect("one report");
    assert_eq!(whole.missing, [Shard { index: 1, count: 3 }]);
    assert_eq!(whole.report.exit_code, Exit::Findings);
    let errors = whole.report.errors.join("\n");
    assert!(errors.contains("no report of shard 1 of 3"), "{errors}");
    assert!(
        errors.contains("nothing is known of 1 of 4 accounts"),
        "{errors}"
    );
}

#[test]
fn a_shard_that_did_not_begin_is_missing_and_says_why() {
    let mut parts = three();
    let lost = &mut parts[0];
    lost.accounts.clear();
    lost.count();
    lost.error = Some("no space is left".to_owned());
    lost.exit_code = Exit::Unusable;
    let whole = merged(parts).expect("one report");
    assert_eq!(whole.missing, [Shard { index: 2, count: 3 }]);
    assert_eq!(whole.report.exit_code, Exit::Findings);
    assert_eq!(whole.report.error, None, "the others began");
    let errors = whole.report.errors.join("\n");
    assert!(errors.contains("shard 2 of 3 did not begin"), "{errors}");
    assert!(errors.contains("no space is left"), "{errors}");
    assert!(
        errors.contains("nothing is known of 2 of 4 accounts"),
        "{errors}"
    );
    assert!(!errors.contains("there is no report"), "{errors}");
}

#[test]
fn a_test_that_failed_for_one_shard_did_not_keep_the_others_from_beginning() {
    let failed = |part: &mut Report| {
        part.accounts[0].status = Status::Failed;
        part.count();
        part.precheck_failed = true;
        part.exit_code = Exit::Precheck;
    };
    let mut parts = three();
    failed(&mut parts[0]);
    let report = merged(parts).expect("one report").report;
    assert!(!report.precheck_failed);
    assert_eq!(report.exit_code, Exit::Findings);
    let mut parts = three();
    parts.iter_mut().for_each(failed);
    let report = merged(parts).expect("one report").report;
    assert!(report.precheck_failed);
    assert_eq!(report.exit_code, Exit::Precheck);
}

type Damage = fn(&mut Vec<Report>);

#[test]
fn what_does_not_fit_together_is_refused() {
    let cases: [(&str, Damage); 17] = [
        ("0.json is of shard 2 of 3, and so is", |parts| {
            parts.push(part(2, &[]));
        }),
        ("has account a, and so has", |parts| {
            parts[2] = part(3, &["a"]);
        }),
        ("in its configuration: other, not c0ffee", |parts| {
            parts[1].config_sha256 = "other".into();
        }),
        ("in its version: 0.0.1", |parts| {
            parts[1].version = "0.0.1".into();
        }),
        ("in its mode: export", |parts| parts[1].mode = Mode::Export),
        ("in its last phase (--until): export", |parts| {
            parts[1].until = Some(Phase::Export);
        }),
        ("read back (--deep, --sample): 10000 of", |parts| {
            parts[2].sample = Some(10_000);
        }),
        ("counts by status that are not those", |parts| {
            parts[0].by_status.insert(Status::Failed, 1);
        }),
        ("account a is complete, but that it has an error", |parts| {
            parts[1].accounts[0].error = Some("quota".into());
        }),
        ("that it lacks messages on the target", |parts| {
            parts[1].accounts[0].compared = Some(Compared {
                missing: 1,
                ..Compared::default()
            });
        }),
        ("not all is well, but not why", |parts| {
            parts[2].exit_code = Exit::Parked;
        }),
        ("not the sums", |parts| parts[1].totals.new = 3),
        ("not all its accounts do", |parts| {
            parts[0].accounts[1].status = Status::Failed;
        }),
        ("is of 2 accounts and has 1", |parts| {
            parts[0].accounts.pop();
            parts[0].totals.new = 2;
        }),
        ("not the report of a shard", |parts| parts[0].shard = None),
        ("does not say of which configuration", |parts| {
            for part in parts.iter_mut() {
                part.config_sha256.clear();
            }
        }),
        ("has account d, which is not of shard 3", |parts| {
            let names = (0..).map(|n| format!("x{n}@h:993"));
            let other = names
                .into_iter()
                .find(|name| !Shard { index: 3, count: 3 }.owns(name));
            parts[2].accounts[0].identity = other;
        }),
    ];
    for (why, damage) in cases {
        let mut parts = three();
        damage(&mut parts);
        let error = merged(parts)
            .err()
            .unwrap_or_else(|| panic!("{why}: was merged"))
            .to_string();
        let why = why.trim_start_matches("0.json ");
        assert!(error.contains(why), "{why}: {error}");
    }
    assert!(merged(Vec::new()).is_err());
    let mut fewer = three();
    for part in &mut fewer {
        part.shard.as_mut().expect("a shard").configured = 5;
    }
    let error = merged(fewer).err().expect("refused").to_string();
    assert!(error.contains("4 accounts and not the 5"), "{error}");
}
