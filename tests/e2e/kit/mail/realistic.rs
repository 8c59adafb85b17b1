//! Ordinary mail in quantity: the same for the same seed.

use std::fmt::Write as _;

use super::{Mail, Random};
use crate::kit::servers::codec::base64;

const PEOPLE: [&str; 6] = [
    "Anna Arens <anna@example.com>",
    "\"Bob, the builder\" <bob@example.org>",
    "=?utf-8?q?J=C3=BCrgen_Gro=C3=9F?= <juergen@example.net>",
    "carol@example.com",
    "=?iso-2022-jp?B?GyRCOzNFRBsoQg==?= <yamada@example.jp>",
    "Build Server <noreply@ci.example>",
];
const WORDS: [&str; 16] = [
    "invoice", "meeting", "please", "the", "of", "release", "and", "tomorrow", "attached", "is",
    "server", "mailbox", "Grüße", "question", "thanks", "a",
];
const FLAGS: [&str; 5] = [
    "",
    "\\Seen",
    "\\Seen \\Answered",
    "\\Flagged",
    "\\Seen \\Flagged",
];

/// `count` messages of about 1 to 20 KB, some in HTML, some with an attachment; system flags only.
pub fn realistic(seed: u64, count: usize) -> Vec<Mail> {
    let mut random = Random::new(seed);
    (0..count)
        .map(|index| {
            let bytes = message(&mut random, seed, index);
            let time = 1_500_000_000 + random.between(0, 250_000_000);
            Mail::new(format!("realistic {seed}/{index}"), bytes)
                .flagged(random.pick(&FLAGS))
                .at(time)
        })
        .collect()
}

fn message(random: &mut Random, seed: u64, index: usize) -> String {
    let mut mail = String::new();
    let date = Mail::new("", "").at(1_500_000_000 + random.between(0, 250_000_000));
    let (from, to) = (random.pick(&PEOPLE), random.pick(&PEOPLE));
    let subject = words(random, 4);
    write!(
        mail,
        "Return-Path: <bounce@example.org>\r\nReceived: from mx{}.example.org (mx.example.org [192.0.2.7])\r\n\
         \tby mail.example.com with ESMTPS id {:x}; {}\r\n\
         Message-ID: <{seed}.{index}.{:x}@example.org>\r\nDate: {}\r\nFrom: {from}\r\nTo: {to}\r\n\
         Subject: {}\r\nMIME-Version: 1.0\r\n",
        random.between(1, 9),
        random.next(),
        date.internaldate().replace('-', " "),
        random.next(),
        date.internaldate().replace('-', " "),
        subject.replace("Grüße", "=?utf-8?B?R3LDvMOfZQ==?="),
    )
    .expect("a string takes everything");
    match random.between(0, 10) {
        0..6 => mail += &text_part(random),
        6..8 => mail += &multipart(random, "alternative", html_part),
        _ => mail += &multipart(random, "mixed", attachment),
    }
    mail
}

fn text_part(random: &mut Random) -> String {
    let size = random.between(50, 800);
    format!(
        "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n{}\r\n",
        prose(random, size)
    )
}

fn html_part(random: &mut Random) -> String {
    let size = random.between(20, 200);
    format!(
        "Content-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n<html><p>{}</p></html>\r\n",
        prose(random, size)
    )
}

fn attachment(random: &mut Random) -> String {
    let bytes: Vec<u8> = (0..random.between(500, 12_000))
        .map(|_| (random.next() & 0xff) as u8)
        .collect();
    let text = base64(&bytes);
    let lines: Vec<&str> = text
        .as_bytes()
        .chunks(76)
        .map(|line| std::str::from_utf8(line).expect("base64"))
        .collect();
    format!(
        "Content-Type: application/octet-stream\r\nContent-Disposition: attachment; filename=\"data.bin\"\r\n\
         Content-Transfer-Encoding: base64\r\n\r\n{}\r\n",
        lines.join("\r\n")
    )
}

fn multipart(random: &mut Random, kind: &str, second: fn(&mut Random) -> String) -> String {
    let boundary = format!("=_{:x}", random.next());
    let first = text_part(random);
    let second = second(random);
    format!(
        "Content-Type: multipart/{kind}; boundary=\"{boundary}\"\r\n\r\n--{boundary}\r\n{first}--{boundary}\r\n{second}--{boundary}--\r\n"
    )
}

/// Words in lines of ordinary length.
fn prose(random: &mut Random, count: u64) -> String {
    let lines: Vec<String> = (0..count.div_ceil(12)).map(|_| words(random, 12)).collect();
    lines.join("\r\n")
}

fn words(random: &mut Random, count: usize) -> String {
    let chosen: Vec<&str> = (0..count).map(|_| random.pick(&WORDS)).collect();
    chosen.join(" ")
}
