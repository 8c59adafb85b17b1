"""Runs one command and says what it cost; runs several side by side.

Knows processes and the kernel's accounting. Knows no mail and no server.
"""

import dataclasses
import os
import pathlib
import statistics
import subprocess
import time

POLL = 0.02  # seconds between two looks at a running process


@dataclasses.dataclass
class Cost:
    """Seconds and bytes; `sync` is what it took afterwards to bring everything to disk.

    `threads` and `files` (open descriptors) are the most that were seen, every `POLL` seconds.
    """

    wall: float
    cpu: float
    peak: int
    sync: float
    flights: int = 0
    threads: int = 0
    files: int = 0


class Failed(Exception):
    """A client did not do what it was asked; its figures would be worthless."""


def run(command, log, env=None, ends=0):
    """Runs `command` to its end with its output in the file `log`; raises Failed unless it exits with `ends`."""
    os.sync()  # what earlier runs left unwritten is not this one's cost
    with open(log, "wb") as output:
        begin = time.monotonic()
        process = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=os.environ | (env or {}),
        )
        try:
            peak, usage, threads, files = _watch(process)
        except BaseException:  # interrupted: leave nothing running behind
            process.kill()
            process.wait()
            raise
        wall = time.monotonic() - begin
    begin = time.monotonic()
    os.sync()
    sync = time.monotonic() - begin
    if process.returncode != ends:
        text = pathlib.Path(log).read_text(errors="replace")
        raise Failed(f"{command[0]} ended with {process.returncode}:\n{text[-3000:]}")
    return Cost(wall, usage.ru_utime + usage.ru_stime, peak, sync, 0, threads, files)


def _watch(process):
    """Waits for the end; returns the peak memory in bytes, the resource usage, and the most threads and open files.

    ru_maxrss alone would be wrong for a small program (at exec the kernel
    carries over the peak of the process that called it, which is this one) and
    for one with children (it is the biggest, not the sum). Then the highest sum
    of the processes' own high-water marks counts, as seen every `POLL` seconds.
    """
    seen, wait, alone = 0, 0.001, True
    threads = files = 0
    while True:
        family = _family(process.pid)
        alone = alone and len(family) == 1
        seen = max(seen, sum(map(_high_water, family)))
        threads = max(threads, sum(_entries(member, "task") for member in family))
        files = max(files, sum(_entries(member, "fd") for member in family))
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            break
        time.sleep(wait)
        wait = min(POLL, wait * 1.5)
    process.returncode = os.waitstatus_to_exitcode(status)
    reported = usage.ru_maxrss * 1024
    exact = alone and reported > _high_water(os.getpid())
    return (reported if exact else seen), usage, threads, files


def _family(pid):
    """The process and all that descend from it."""
    try:
        children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        children = []
    return [pid, *(member for child in children for member in _family(int(child)))]


def _entries(pid, kind):
    try:
        return len(os.listdir(f"/proc/{pid}/{kind}"))
    except OSError:
        return 0


def _high_water(pid):
    try:
        for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


def side_by_side(runners, rounds):
    """Runs A B C A B C …; returns for each name the median of every figure.

    `runners` maps a name to a function that prepares, runs, checks and returns
    a Cost. Only what `run` measures counts, so preparing and checking are free.
    """
    costs = {name: [] for name in runners}
    for _ in range(rounds):
        for name, runner in runners.items():
            costs[name].append(runner())
    return {name: median(several) for name, several in costs.items()}


def median(costs):
    """The median of every field by itself."""
    fields = [field.name for field in dataclasses.fields(Cost)]
    return Cost(**{field: statistics.median(getattr(cost, field) for cost in costs) for field in fields})
