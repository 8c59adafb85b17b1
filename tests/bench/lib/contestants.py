"""The clients that are measured: how each is configured, called and checked.

A contestant gets a place (a directory of its own) and a target (a server and
some accounts). Knows neither how the mail came there nor what is measured.
"""

import dataclasses
import json
import pathlib
import shlex
import sys

from dovecot import PASSWORD
from measure import Failed

PLAIN_CLIENT = pathlib.Path(__file__).with_name("plain_client.py")


@dataclasses.dataclass
class Target:
    """A server as a client sees it; `tls` is TLS from the first byte."""

    port: int
    tls: bool
    ca_file: pathlib.Path
    accounts: list[str]

    def at(self, port, accounts=None):
        """The same server by another port, or with other accounts."""
        return dataclasses.replace(self, port=port, accounts=accounts or self.accounts)


class Export:
    """The program of this repository."""

    name = "export"

    def __init__(self, binary, workers=4):
        self._binary, self._workers = binary, workers

    def command(self, place, target):
        """Writes the configuration; returns the command line."""
        server = {"host": "localhost", "port": target.port, "ssl": target.tls, "starttls": False}
        if target.tls:
            server["ca_file"] = str(target.ca_file)
        accounts = [{"email": account, "password": PASSWORD} for account in target.accounts]
        config = place / "export.pass.config.json"
        config.write_text(json.dumps({"server": server, "accounts": accounts}))
        config.chmod(0o600)
        paths = ["--config", config, "--output-dir", place / "exported", "--log-dir", place / "logs"]
        alone = ["--no-connectivity-test", "--no-audit-after-export"]
        return [self._binary, "--mode", "export", *alone, *paths, "--max-workers", self._workers]

    def check(self, place, seeded, log):
        """Raises Failed unless every message is there, with all its bytes and its sidecar."""
        del log
        messages = octets = sidecars = 0
        for path in (place / "exported").rglob("u*.*"):
            if path.suffix == ".eml":
                messages += 1
                octets += path.stat().st_size
            sidecars += path.suffix == ".json"
        found = (messages, sidecars, octets)
        expected = (seeded.messages, seeded.messages, seeded.octets)
        if found != expected:
            raise Failed(f"export: messages, sidecars, bytes are {found}, not {expected}")


class Mbsync:
    """isync's mbsync into Maildirs; several workers are several processes by xargs."""

    def __init__(self, fsync=True, workers=1):
        self.name = "mbsync" if fsync else "mbsync, FSync no"
        self._fsync, self._workers = fsync, workers

    def command(self, place, target):
        """Writes the configuration; returns the command line."""
        sections = [] if self._fsync else ["FSync no\n"]
        for account in target.accounts:
            (place / account).mkdir(exist_ok=True)
            sections.append(self._sections(place, target, account))
        config = place / "mbsyncrc"
        config.write_text("\n".join(sections))
        config.chmod(0o600)
        if self._workers == 1:
            return ["mbsync", "-c", config, "-a"]
        names = place / "channels"
        names.write_text("\n".join(target.accounts) + "\n")
        xargs = f"xargs -P {self._workers} -n 1 mbsync -c {shlex.quote(str(config))}"
        return ["sh", "-c", f"{xargs} < {shlex.quote(str(names))}"]

    @staticmethod
    def _sections(place, target, account):
        security = f"SSLType IMAPS\nCertificateFile {target.ca_file}\nSystemCertificates no"
        if not target.tls:
            security = "SSLType None\nAuthMechs LOGIN"
        return f"""IMAPAccount {account}
Host localhost
Port {target.port}
User {account}
Pass "{PASSWORD}"
{security}

IMAPStore {account}-far
Account {account}

MaildirStore {account}-near
Path {place / account}/
Inbox {place / account}/INBOX
SubFolders Verbatim

Channel {account}
Far :{account}-far:
Near :{account}-near:
Patterns *
Sync Pull
Create Near
SyncState *
"""

    @staticmethod
    def check(place, seeded, log):
        """Raises Failed unless every message is there."""
        del log
        found = sum(path.parent.name in ("cur", "new") for path in place.rglob("*,U=*"))
        if found != seeded.messages:
            raise Failed(f"mbsync: {found} messages, not {seeded.messages}")


class Plain:
    """One TLS connection that throws the bytes away: what server and TLS allow."""

    def __init__(self, pipeline=False):
        self.name = "plain, pipelined" if pipeline else "plain (ceiling)"
        self._options = ["--pipeline"] if pipeline else []

    def command(self, place, target):
        """The command line for the first account."""
        del place
        return [sys.executable, PLAIN_CLIENT, target.port, target.accounts[0], target.ca_file, *self._options]

    @staticmethod
    def check(place, seeded, log):
        """Raises Failed unless at least the messages' bytes have come."""
        del place
        received = int(pathlib.Path(log).read_text())
        if received < seeded.octets:
            raise Failed(f"plain client: {received} bytes, fewer than the messages' {seeded.octets}")
