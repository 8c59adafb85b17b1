"""Deterministic mail for the benchmarks, written straight into Maildir folders.

Knows message sizes, message text and Maildir file names. Knows no server and
no client. The same seed gives the same bytes on every machine.
"""

import base64
import dataclasses
import email.utils
import math
import os
import pathlib
import random

WORDS = 1 << 20  # random bytes behind the text pool, before base64
EPOCH = 1_600_000_000  # the oldest message; the others follow by the minute


@dataclasses.dataclass(frozen=True)
class Sizes:
    """A log-normal distribution of message sizes in bytes, with some huge ones."""

    median: int
    sigma: float
    cap: int
    huge: int = 0
    huge_range: tuple[int, int] = (5_000_000, 20_000_000)

    def draw(self, count, rng):
        """`count` sizes; the huge ones replace evenly spaced members."""
        mu = math.log(self.median)
        sizes = [min(self.cap, max(700, int(rng.lognormvariate(mu, self.sigma)))) for _ in range(count)]
        for index in range(self.huge):
            sizes[(2 * index + 1) * count // (2 * self.huge)] = rng.randint(*self.huge_range)
        return sizes


# Median 6 KB; mean 14 KB without, 21 KB with the huge ones.
OFFICE = Sizes(median=6_000, sigma=1.3, cap=2_000_000, huge=12)
SMALL = Sizes(median=6_000, sigma=1.0, cap=200_000)
EQUAL = Sizes(median=6_000, sigma=0.0, cap=6_000)


@dataclasses.dataclass
class Seeded:
    """What was written: messages and bytes as an IMAP server counts them (CRLF)."""

    mailboxes: int = 0
    messages: int = 0
    octets: int = 0

    def __iadd__(self, other):
        self.mailboxes += other.mailboxes
        self.messages += other.messages
        self.octets += other.octets
        return self


class Generator:
    """Writes messages into Maildir folders as Dovecot's own delivery would.

    Line ends are LF on disk, and names carry S= (bytes on disk) and W= (bytes
    with CRLF): both are what Dovecot's LMTP and LDA leave behind, so the server
    answers RFC822.SIZE without reading the message.
    """

    def __init__(self, seed, owner=None):
        self._rng = random.Random(seed)
        self._owner = owner
        self._serial = 0
        lines = base64.encodebytes(self._rng.randbytes(WORDS))
        self._pool = lines * 2

    def account(self, maildir, mailboxes, sizes):
        """Fills mailboxes (LAYOUT=fs: `/` nests) with as many messages as `mailboxes` maps them to."""
        drawn = sizes.draw(sum(mailboxes.values()), self._rng)
        total = Seeded()
        for name, count in mailboxes.items():
            total += self._mailbox(maildir, name, [drawn.pop() for _ in range(count)])
        return total

    def _mailbox(self, maildir, name, sizes):
        folder = pathlib.Path(maildir) / name if name != "INBOX" else pathlib.Path(maildir)
        self._make(folder)
        octets = sum(self._message(folder / "cur", name, size) for size in sizes)
        return Seeded(mailboxes=1, messages=len(sizes), octets=octets)

    def one_huge(self, maildir, name, size):
        """A mailbox which holds one message of `size` bytes."""
        return self._mailbox(maildir, name, [size])

    def _make(self, folder):
        missing = [path for path in (folder, *folder.parents) if not path.exists()]
        for part in ("cur", "new", "tmp"):
            (folder / part).mkdir(parents=True, exist_ok=True)
            self._own(folder / part)
        for path in missing:
            self._own(path)

    def messages(self, mailbox, sizes, count):
        """Contents of messages as IMAP carries them, lines ending in CRLF."""
        for size in sizes.draw(count, self._rng):
            _, _, content = self._content(mailbox, size)
            yield content.replace(b"\n", b"\r\n")

    def _content(self, mailbox, size):
        """Serial number, date and a message with lines ending in LF; about `size` bytes with CRLF."""
        self._serial += 1
        serial, rng = self._serial, self._rng
        date = EPOCH + 60 * serial
        pieces = [
            (
                f"Return-Path: <sender{serial % 97}@example.net>\n"
                f"Received: from mx{serial % 5}.example.net by mail.example.org with ESMTPS id {serial:08x}\n"
                f"Message-ID: <{serial}.{rng.getrandbits(48):012x}@example.net>\n"
                f"Date: {_rfc2822(date)}\n"
                f"From: Sender {serial % 97} <sender{serial % 97}@example.net>\n"
                f"To: reader@example.org\nSubject: Message {serial} for {mailbox}\n"
                "MIME-Version: 1.0\nContent-Type: text/plain; charset=us-ascii\n\n"
            ).encode()
        ]
        written = len(pieces[0])
        lines = pieces[0].count(b"\n")
        while written + lines < size:
            start = rng.randrange(WORDS // 57) * 77
            chunk = self._pool[start : start + min(size - written - lines, WORDS)]
            if not chunk.endswith(b"\n"):
                chunk += b"\n"
            pieces.append(chunk)
            written += len(chunk)
            lines += chunk.count(b"\n")
        return serial, date, b"".join(pieces)

    def _message(self, cur, mailbox, size):
        serial, date, content = self._content(mailbox, size)
        path = cur / f"{date}.M{serial}P1.bench"
        path.write_bytes(content)
        os.utime(path, (date, date))
        self._own(path)
        flags = "S" if serial % 3 else "FS" if serial % 5 == 0 else ""
        written = len(content)
        on_wire = written + content.count(b"\n")
        path.rename(f"{path},S={written},W={on_wire}:2,{flags}")
        return on_wire

    def _own(self, path):
        if self._owner:
            os.chown(path, *self._owner)


def _rfc2822(timestamp):
    return email.utils.formatdate(timestamp)
