"""What the benchmarks share: one server, one temporary directory, checked runs side by side, a command line.

Knows neither what is seeded nor which parts there are: that is each benchmark's own.
"""

import argparse
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile

import contestants
import delay_line
import dovecot
import mailgen
import measure
import table

ROOT = pathlib.Path(__file__).resolve().parents[3]
MB = 1_000_000
ONE_WAY = 0.025  # seconds; a round trip is 50 ms
HEAD = ["client", "seconds", "/ mbsync", "/ ceiling", "msg/s", "MB/s", "CPU s", "peak MB", "sync after s"]


class Bench:
    """One server, one temporary directory, and the parts that use them."""

    def __init__(self, options, directory):
        self.options = options
        self.directory = directory
        self.server = dovecot.Dovecot(directory / "dovecot")
        self.target = contestants.Target(self.server.tls_port, True, self.server.ca_file, [])
        self.seeded = {}

    def scaled(self, count):
        """The full size, or a tenth of it in a quick run."""
        return max(1, count // 10) if self.options.quick else count

    def wants(self, client):
        """Whether the user left this contestant in."""
        return client in self.options.clients

    def total(self, accounts):
        """What several accounts hold together."""
        total = mailgen.Seeded()
        for account in accounts:
            total += self.seeded[account]
        return total

    def new_place(self):
        """A new empty directory. It stays to the end: ext4 creates files slower for minutes after many were removed."""
        return pathlib.Path(tempfile.mkdtemp(prefix="place", dir=self.directory))

    def config(self, place, logins, port):
        """Writes a configuration, `logins` by account; returns the options that name it."""
        server = {"host": "localhost", "port": port, "ssl": True, "ca_file": str(self.server.ca_file)}
        accounts = [{"email": a, "login": b, "password": dovecot.PASSWORD} for a, b in logins.items()]
        config = place / "pass.config.json"
        config.write_text(json.dumps({"server": server, "accounts": accounts}))
        config.chmod(0o600)
        return ["--config", config, "--log-dir", place / "logs", "-q"]

    def once(self, client, target, place=None):
        """One checked run; into an empty directory unless it gets a place."""
        place = place or self.new_place()
        log = self.directory / "output"
        cost = measure.run(client.command(place, target), log, {"BENCH_PASSWORD": dovecot.PASSWORD})
        client.check(place, self.total(target.accounts), log)
        return cost

    def compare(self, clients, target):
        """Side by side, each time into an empty directory."""
        runners = {client.name: lambda client=client: self.once(client, target) for client in clients}
        return measure.side_by_side(runners, self.options.rounds)

    def rows(self, costs, seeded):
        """The usual columns."""
        mbsync = costs.get("mbsync")
        ceiling = next((cost for name, cost in costs.items() if name.startswith("plain")), None)
        for name, cost in costs.items():
            yield [
                name,
                f"{cost.wall:.2f}",
                table.ratio(cost.wall, mbsync and mbsync.wall),
                table.ratio(ceiling.wall, cost.wall) if ceiling else "-",
                f"{seeded.messages / cost.wall:,.0f}",
                f"{seeded.octets / MB / cost.wall:.1f}",
                f"{cost.cpu:.2f}",
                f"{cost.peak / MB:.1f}",
                f"{cost.sync:.2f}",
            ]

    def over(self, line, runner):
        """One run through the delay line, with its flights."""
        before = line.flights
        cost = runner()
        cost.flights = line.flights - before
        return cost


class Line:
    """A delay line (without delay at first) between `with` and its end."""

    def __init__(self, port):
        self._line = delay_line.DelayLine(port, 0)

    def __enter__(self):
        self._line.start()
        return self._line

    def __exit__(self, *_):
        self._line.stop()


def describe(seeded):
    """`20,000 messages, 430 MB, 30 mailboxes`"""
    return f"{seeded.messages:,} messages, {seeded.octets / MB:.0f} MB, {seeded.mailboxes:,} mailboxes"


def find_binary():
    """The program under test: as the environment says, or freshly built."""
    if given := os.environ.get("IMAPSYNC_BULK_MIGRATOR"):
        return pathlib.Path(given).resolve()
    if subprocess.run(["cargo", "build", "--release", "--quiet"], cwd=ROOT, check=False).returncode:
        sys.exit("error: cargo build --release failed")
    return ROOT / os.environ.get("CARGO_TARGET_DIR", "target") / "release" / "imapsync-bulk-migrator"


def arguments(kind, description):
    """The command line, checked."""
    names = list(kind.PARTS)
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(names)}; default: all")
    parser.add_argument("--rounds", type=int, default=3, help="how often each runs; medians are shown (default 3)")
    parser.add_argument("--quick", action="store_true", help="a tenth of the mail: to try the benchmark itself")
    parser.add_argument("--clients", default=kind.CLIENTS, help="who takes part (default %(default)s)")
    parser.add_argument("--binary", type=pathlib.Path, help="default: $IMAPSYNC_BULK_MIGRATOR, else cargo build --release")
    options = parser.parse_args()
    if unknown := set(options.parts) - set(names):
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    options.order = [name for name in names if name in options.parts or not options.parts]
    options.parts = set(options.order)
    options.clients = set(options.clients.split(","))
    if "mbsync" in options.clients and not shutil.which("mbsync"):
        parser.error("mbsync is missing: apt-get install --no-install-recommends isync, or leave it out with --clients")
    if kind.OURS in options.clients:
        options.binary = options.binary.resolve() if options.binary else find_binary()
    return options


def main(kind, description):
    """Seeds, starts the server, runs the parts, stops and removes everything."""
    options = arguments(kind, description)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with tempfile.TemporaryDirectory(prefix="imb-") as name:
        directory = pathlib.Path(name)
        directory.chmod(0o755)  # the server's mail user has to pass
        bench = kind(options, directory)
        print(f"Machine: {table.machine(directory.parent)}")
        versions = [f"Dovecot {bench.server.version} (mail_fsync={bench.server.FSYNC}, Maildir, LF, S= and W= in names)"]
        versions += [table.version(options.binary, "--version")] if bench.wants(kind.OURS) else []
        versions += [table.version("mbsync", "--version")] if bench.wants("mbsync") else []
        print(f"Versions: {', '.join(versions)}, Python {sys.version.split()[0]}")
        print(f"Medians of {options.rounds} rounds; server and clients share the cores; MB = 10^6 bytes.", flush=True)
        bench.seed_all()
        try:
            bench.start()
            for part in options.order:
                getattr(bench, part)()
        except measure.Failed as problem:
            sys.exit(f"error: {problem}")
        finally:
            bench.server.stop()
