#!/usr/bin/env python3
"""Runs a program in a pseudo-terminal: waits for texts, sends keys.

usage: terminal.py STEPS COMMAND [ARGUMENT...]

STEPS is a JSON list of [text, keys] or [text, keys, nudge]: when the text has been shown since the step before, the
keys are sent; until then the nudge, again and again.
Prints all that the program showed; ends with its exit code, or with 99 when a text does not come.
"""

import json
import os
import pty
import select
import sys
import time

LIMIT = 60


def main():
    steps, command = json.loads(sys.argv[1]), sys.argv[2:]
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvp(command[0], command)
    import fcntl, struct, termios
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
    shown, since, deadline = b"", b"", time.time() + LIMIT
    while time.time() < deadline:
        if steps and steps[0][0].encode() in since:
            os.write(terminal, steps.pop(0)[1].encode())
            since = b""
        if not select.select([terminal], [], [], 0.2)[0]:
            if steps and len(steps[0]) > 2:
                os.write(terminal, steps[0][2].encode())
            continue
        try:
            data = os.read(terminal, 65536)
        except OSError:
            data = b""
        if not data:
            break
        # The program asks where the cursor is.
        if b"\x1b[6n" in data:
            os.write(terminal, b"\x1b[1;1R")
        shown, since = shown + data, since + data
    else:
        os.kill(pid, 9)
    sys.stdout.buffer.write(shown)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if steps:
        print("\nnot shown: %r" % steps[0][0])
        sys.exit(99)
    sys.exit(code)


if __name__ == "__main__":
    main()
