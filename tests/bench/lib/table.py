"""Prints tables and the facts of the machine. Knows nothing of what is measured."""

import os
import pathlib
import platform
import subprocess


def print_table(title, head, rows):
    """A Markdown table with aligned columns: text left, figures right."""
    cells = [head, *rows]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    print(f"\n### {title}\n")
    for number, row in enumerate(cells):
        first = row[0].ljust(widths[0])
        rest = [cell.rjust(width) for cell, width in zip(row[1:], widths[1:])]
        print("| " + " | ".join([first, *rest]) + " |")
        if number == 0:
            print("|" + "|".join("-" * (width + 2) for width in widths) + "|")
    print(flush=True)


def ratio(value, reference):
    """`value / reference` with two digits, or a dash where there is no reference."""
    return f"{value / reference:.2f}" if reference else "-"


def machine(directory):
    """Processor, memory, kernel and the file system that `directory` lies on."""
    cpu = _first("/proc/cpuinfo", "model name", platform.machine())
    memory = int(_first("/proc/meminfo", "MemTotal", "0 kB").split()[0]) / (1 << 20)
    return (
        f"{os.cpu_count()} cores {cpu}, {memory:.0f} GiB, Linux {platform.release()}, "
        f"{file_system(directory)} under {directory}"
    )


def file_system(directory):
    """The type of the file system, from the longest mount point that fits."""
    directory = str(pathlib.Path(directory).resolve())
    best = ("", "unknown")
    for line in pathlib.Path("/proc/self/mounts").read_text().splitlines():
        _, point, kind = line.split()[:3]
        if (directory + "/").startswith(point.rstrip("/") + "/"):
            best = max(best, (point, kind), key=lambda pair: len(pair[0]))
    return best[1]


def version(*command):
    """The first line that a program prints about itself."""
    try:
        output = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return f"{command[0]}: missing"
    lines = (output.stdout + output.stderr).splitlines()
    return lines[0].strip() if lines else command[0]


def _first(path, key, default):
    for line in pathlib.Path(path).read_text().splitlines():
        if line.startswith(key):
            return line.split(":", 1)[1].strip()
    return default
