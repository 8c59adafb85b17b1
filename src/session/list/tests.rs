use super::*;

fn response(line: &str) -> Response {
    Response {
        bytes: format!("{line}\r\n").into_bytes(),
        ..Response::default()
    }
}

#[test]
fn a_name_above_one_that_is_subscribed_is_not() {
    let mut heard = Answers::default();
    for name in ["Parent", "Parent/Child", "Other"] {
        let line = format!(r#"* LIST () "/" {name}"#);
        heard.take(ListStep::List, &response(&line));
    }
    let lines = [
        r#"* LSUB (\Noselect \HasChildren) "/" Parent"#,
        r#"* LSUB () "/" Parent/Child"#,
    ];
    for line in lines {
        heard.take(ListStep::Subscribed, &response(line));
    }
    let subscribed: Vec<bool> = assemble(&mut heard)
        .iter()
        .map(|mailbox| mailbox.subscribed)
        .collect();
    assert_eq!(subscribed, [false, true, false]);
}
