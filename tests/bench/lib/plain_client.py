"""The ceiling: a TLS client that asks for every message and throws the bytes away.

Usage: plain_client.py PORT ACCOUNT CA_FILE [--pipeline]; the password comes in
BENCH_PASSWORD. LOGIN, LIST, then EXAMINE and UID FETCH 1:* BODY.PEEK[] for each
mailbox; with --pipeline all of these are sent at once. Prints the bytes
received. It parses no message: it only looks for the tagged end in the last
bytes of what has come, so that its own cost is close to nothing.
"""

import os
import re
import socket
import ssl
import sys

TAIL = 400
PIECE = 1 << 18


class Client:
    """One connection and its byte count."""

    def __init__(self, port, ca_file):
        context = ssl.create_default_context(cafile=ca_file)
        plain = socket.create_connection(("localhost", port), timeout=60)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._stream = context.wrap_socket(plain, server_hostname="localhost")
        self._view = memoryview(bytearray(PIECE))
        self._serial = 0
        self.received = 0
        self._until(re.compile(rb"^\* OK .*\r\n\Z", re.S))

    def send(self, *commands):
        """Sends all at once; returns what matches the tagged end of the last."""
        lines = []
        for command in commands:
            self._serial += 1
            lines.append(f"p{self._serial} {command}\r\n")
        self._stream.sendall("".join(lines).encode())
        return re.compile(rb"(?:^|\n)p%d (OK|NO|BAD) [^\r\n]*\r\n\Z" % self._serial)

    def skip(self, end):
        """Reads up to the tagged end and forgets everything."""
        if self._until(end).group(1) != b"OK":
            raise SystemExit("the server refused a command")

    def text(self, command):
        """The whole answer of a small command."""
        end, answer = self.send(command), b""
        while not (match := end.search(answer)):
            piece = self._stream.recv(PIECE)
            if not piece:
                raise SystemExit("the server closed the connection")
            answer += piece
        if match.group(1) != b"OK":
            raise SystemExit(f"the server refused {command.split()[0]}")
        return answer

    def _until(self, end):
        tail = b""
        while True:
            size = self._stream.recv_into(self._view)
            if not size:
                raise SystemExit("the server closed the connection")
            self.received += size
            tail = (tail + bytes(self._view[max(0, size - TAIL) : size]))[-TAIL:]
            if tail.endswith(b"\r\n") and (match := end.search(tail)):
                return match


def main():
    """Reads all mailboxes of one account."""
    port, account, ca_file = int(sys.argv[1]), sys.argv[2], sys.argv[3]
    client = Client(port, ca_file)
    password = os.environ["BENCH_PASSWORD"]
    client.text(f'LOGIN "{account}" "{password}"')
    listing = client.text('LIST "" "*"').decode()
    names = re.findall(r'^\* LIST \((?![^)]*\\No[sS]elect)[^)]*\) \S+ (.+?)\r?$', listing, re.M)
    pairs = [(f"EXAMINE {name}", "UID FETCH 1:* BODY.PEEK[]") for name in names]
    if "--pipeline" in sys.argv:
        client.skip(client.send(*(command for pair in pairs for command in pair), "LOGOUT"))
    else:
        for pair in pairs:
            client.skip(client.send(*pair))
    print(client.received)


main()
