"""Writes an archive as an export leaves it, straight to disk. Knows the documented format and nothing of the program."""

import hashlib
import json

import mailgen

UIDVALIDITY = 1_700_000_000


def write(directory, account, mailboxes, sizes, seed):
    """Writes one account; `mailboxes` maps names to message counts. Returns what it holds."""
    generator = mailgen.Generator(seed)
    total = mailgen.Seeded()
    states = []
    for name, count in mailboxes.items():
        folder = directory / account / name
        folder.mkdir(parents=True, mode=0o700)
        octets = 0
        for uid, content in enumerate(generator.messages(name, sizes, count), 1):
            octets += len(content)
            stem = folder / f"u{uid:010}"
            _write(stem.with_suffix(".eml"), content)
            _write(stem.with_suffix(".json"), _sidecar(name, uid, content))
        total += mailgen.Seeded(mailboxes=1, messages=count, octets=octets)
        meta = {"name": name, "wire": name, "delimiter": "/", "attributes": [], "uidvalidity": UIDVALIDITY}
        _write(folder / ".mailbox.json", json.dumps(meta).encode())
        states.append(
            meta
            | {"directory": name, "subscribed": True, "uidnext": count + 1, "highestmodseq": None}
            | {"messages": count, "bytes": octets, "complete": True, "uids": f"1:{count}"}
        )
    state = {"format": 1, "tool": "imapsync-bulk-migrator", "version": "0.1.0", "user": account, "complete": True}
    state |= {"server": {"host": "localhost", "port": 993, "tls": "implicit"}, "mailboxes": states}
    state |= {"started": "2024-01-01T00:00:00Z", "finished": "2024-01-01T00:01:00Z"}
    _write(directory / account / "export-state.json", json.dumps(state).encode())
    (directory / account).chmod(0o700)
    return total


def _sidecar(mailbox, uid, content):
    head = content[: content.index(b"\r\n\r\n")].decode()
    message_id = next(line[13:-1] for line in head.split("\r\n") if line.startswith("Message-ID: <"))
    sidecar = {
        "mailbox": mailbox,
        "uid": uid,
        "uidvalidity": UIDVALIDITY,
        "flags": "\\Seen",
        "internaldate": "01-Jan-2024 10:00:00 +0000",
        "size": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "message_id": message_id,
    }
    return json.dumps(sidecar, indent=2).encode() + b"\n"


def _write(path, content):
    path.write_bytes(content)
    path.chmod(0o600)
