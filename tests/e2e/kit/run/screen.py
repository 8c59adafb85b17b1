#!/usr/bin/env python3
"""Runs a program on a terminal and looks at what stands on it, as somebody who sits before it would.

usage: screen.py COLUMNS ROWS STEPS COMMAND [ARGUMENT...]

STEPS is a JSON list of [pattern, action]: when the pattern is found on the screen, the screen is kept and the action
done: "keys:…" types, "resize:N" makes the terminal N columns wide, "" only looks. Prints a JSON object: `screens`, one
list of lines a step, `code`, and `shown`, all that the program wrote. Ends with 99 when a pattern does not come.

A line that is wider than the terminal after it was resized is folded, as most terminals do it.
"""

import fcntl
import json
import os
import pty
import re
import select
import struct
import sys
import termios
import time

LIMIT = 60


class Screen:
    def __init__(self, columns, rows):
        self.columns, self.rows = columns, rows
        self.lines, self.row, self.column = [""], 0, 0
        self.rest = ""

    def feed(self, text):
        text, self.rest = self.rest + text, ""
        at = 0
        while at < len(text):
            if text[at] == "\x1b":
                command = re.compile(r"\x1b\[([0-9;?]*)([A-Za-z])").match(text, at)
                if not command:
                    self.rest = text[at:]
                    return
                self.obey(command.group(2), command.group(1))
                at = command.end()
                continue
            self.put(text[at])
            at += 1

    def obey(self, letter, number):
        count = int(number) if number.isdigit() else 1
        if letter == "A":
            self.row = max(self.row - count, max(0, len(self.lines) - self.rows))
        elif letter == "J":
            del self.lines[self.row + 1:]
            self.lines[self.row] = self.lines[self.row][: self.column]
        elif letter == "K":
            self.lines[self.row] = self.lines[self.row][: self.column]
        elif letter != "m":
            raise SystemExit("the screen does not know ESC [ %s %s" % (number, letter))

    def put(self, letter):
        if letter == "\r":
            self.column = 0
        elif letter == "\n":
            self.row += 1
            if self.row == len(self.lines):
                self.lines.append("")
        else:
            if self.column == self.columns:
                self.put("\r"), self.put("\n")
            line = self.lines[self.row].ljust(self.column)
            self.lines[self.row] = line[: self.column] + letter + line[self.column + 1:]
            self.column += 1

    def resize(self, columns):
        self.columns = columns
        folded, row = [], 0
        for number, line in enumerate(self.lines):
            if number == self.row:
                row = len(folded) + self.column // columns
            folded += [line[at: at + columns] for at in range(0, max(len(line), 1), columns)]
        self.lines, self.row, self.column = folded, row, self.column % columns

    def seen(self):
        return [line.rstrip() for line in self.lines[-self.rows:]]


def resize(terminal, columns, rows):
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def main():
    columns, rows, steps, command = int(sys.argv[1]), int(sys.argv[2]), json.loads(sys.argv[3]), sys.argv[4:]
    ready, go = os.pipe()
    pid, terminal = pty.fork()
    if pid == 0:
        # Not before the terminal has its size.
        os.read(ready, 1)
        os.execvp(command[0], command)
    resize(terminal, columns, rows)
    os.write(go, b"g")
    screen, shown, kept, deadline = Screen(columns, rows), b"", [], time.time() + LIMIT
    while time.time() < deadline:
        while steps and re.search(steps[0][0], "\n".join(screen.seen())):
            kept.append(screen.seen())
            kind, _, value = steps.pop(0)[1].partition(":")
            if kind == "keys":
                os.write(terminal, value.encode())
            elif kind == "resize":
                screen.resize(int(value))
                resize(terminal, int(value), rows)
        if not select.select([terminal], [], [], 0.1)[0]:
            continue
        try:
            data = os.read(terminal, 65536)
        except OSError:
            data = b""
        if not data:
            break
        shown += data
        screen.feed(data.decode("utf-8", "replace"))
    else:
        os.kill(pid, 9)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    kept.append(screen.seen())
    print(json.dumps({"screens": kept, "code": code, "shown": shown.decode("utf-8", "replace")}))
    if steps:
        print("not seen: %r; on the screen:\n%s" % (steps[0][0], "\n".join(screen.seen())), file=sys.stderr)
        sys.exit(99)


if __name__ == "__main__":
    main()
