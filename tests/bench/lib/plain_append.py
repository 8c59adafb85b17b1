"""The ceiling of an import: a TLS client that sends MULTIAPPENDs of 100 messages and nothing else.

Usage: plain_append.py PORT ACCOUNT CA_FILE ARCHIVE; the password comes in
BENCH_PASSWORD. ARCHIVE is an account's directory in the program's format; of it
only the bytes of the messages are read. CREATE for each mailbox, then APPEND
with LITERAL+, several commands ahead of their answers. Prints the number of
messages.
"""

import json
import os
import pathlib
import re
import socket
import ssl
import sys

BATCH = 100
AHEAD = 8  # commands without an answer
PIECE = 1 << 18


def main():
    """Appends everything."""
    port, account, ca_file, archive = int(sys.argv[1]), sys.argv[2], sys.argv[3], pathlib.Path(sys.argv[4])
    context = ssl.create_default_context(cafile=ca_file)
    plain = socket.create_connection(("localhost", port), timeout=60)
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    stream = context.wrap_socket(plain, server_hostname="localhost")
    lines = stream.makefile("rb")
    lines.readline()
    serial = waiting = 0

    def send(command, ahead=0):
        """Sends a command in pieces; then waits until at most `ahead` are unanswered."""
        nonlocal serial, waiting
        serial += 1
        waiting += 1
        stream.sendall(f"p{serial} ".encode())
        for piece in command:
            stream.sendall(piece)
        stream.sendall(b"\r\n")
        while waiting > ahead:
            answer = lines.readline()
            if match := re.match(rb"p\d+ (OK|NO|BAD) ", answer):
                waiting -= 1
                if match.group(1) != b"OK":
                    raise SystemExit(f"the server refuses: {answer!r}")
            elif not answer:
                raise SystemExit("the server closed the connection")

    send([f'LOGIN "{account}" "{os.environ["BENCH_PASSWORD"]}"'.encode()])
    boxes = [path.parent for path in sorted(archive.glob("*/.mailbox.json"))]
    names = {box: json.loads((box / ".mailbox.json").read_text())["wire"] for box in boxes}
    for box in boxes:
        if names[box] != "INBOX":
            send([f'CREATE "{names[box]}"'.encode()], AHEAD)
    count = 0
    for box in boxes:
        files = sorted(box.glob("u*.eml"))
        for start in range(0, len(files), BATCH):
            send(batch(names[box], files[start : start + BATCH]), AHEAD)
        count += len(files)
    send([b"LOGOUT"])
    print(count)


def batch(name, files):
    """The pieces of one command."""
    buffer = bytearray(f'APPEND "{name}"'.encode())
    for file in files:
        body = file.read_bytes()
        buffer += f" {{{len(body)}+}}\r\n".encode() + body
        if len(buffer) >= PIECE:
            yield bytes(buffer)
            buffer.clear()
    yield bytes(buffer)


main()
