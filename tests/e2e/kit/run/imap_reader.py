"""What an IMAP server really holds, read by python3's imaplib: a client that is not ours.

stdin: one JSON job; stdout: one JSON answer. Mailboxes are opened with EXAMINE and bodies read with
BODY.PEEK[], unless an action is there to change something.
"""

import base64
import hashlib
import imaplib
import json
import re
import socket
import ssl
import sys

# imaplib gives up on longer lines; inventories are longer.
imaplib._MAXLINE = 1 << 30

# Messages per FETCH, so that big mailboxes do not have to fit into memory.
CHUNK = 200


def utf7_encode(name):
    out, run = [], []

    def flush():
        if run:
            text = base64.b64encode("".join(run).encode("utf-16-be")).rstrip(b"=")
            out.append("&" + text.replace(b"/", b",").decode() + "-")
            run.clear()

    for c in name:
        if " " <= c <= "~":
            flush()
            out.append("&-" if c == "&" else c)
        else:
            run.append(c)
    flush()
    return "".join(out).encode()


def utf7_decode(wire):
    def decode(match):
        text = match.group(1)
        if not text:
            return "&"
        padded = text.replace(",", "/") + "=" * (-len(text) % 4)
        return base64.b64decode(padded).decode("utf-16-be")

    return re.sub("&([^-]*)-", decode, wire.decode("utf-8", "surrogateescape"))


def quoted(wire):
    return b'"' + wire.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'


def argument(name):
    return quoted(utf7_encode(name))


def checked(answer):
    status, data = answer
    if status != "OK":
        raise RuntimeError(b" ".join(x for x in data if isinstance(x, bytes)).decode("utf-8", "replace"))
    return data


def connect(job):
    if job["security"] == "plain":
        client = imaplib.IMAP4(job["host"], job["port"], timeout=60)
    else:
        context = ssl.create_default_context(cafile=job["ca_file"])
        if job["security"] == "tls":
            client = imaplib.IMAP4_SSL(job["host"], job["port"], ssl_context=context, timeout=60)
        else:
            client = imaplib.IMAP4(job["host"], job["port"], timeout=60)
            client.starttls(context)
    # Literals are sent in small parts, which must not wait for acknowledgements.
    client.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    credentials = ("\0" + job["user"] + "\0" + job["password"]).encode()
    checked(client.authenticate("PLAIN", lambda _: credentials))
    return client


def listed(client, command):
    """Lines of LIST or LSUB: wire name, delimiter, attributes."""
    status, _ = client._simple_command(command, '""', '"*"')
    for item in client._untagged_response(status, [None], command)[1]:
        if not item:
            continue
        literal = None
        if isinstance(item, tuple):
            item, literal = item
        match = re.match(rb'\(([^)]*)\) (NIL|"(?:\\.|[^"])*") (.*)$', item, re.S)
        attributes, delimiter, name = match.groups()
        if literal is not None:
            name = literal
        elif name.startswith(b'"'):
            name = re.sub(rb"\\(.)", rb"\1", name[1:-1])
        delimiter = None if delimiter == b"NIL" else re.sub(rb"\\(.)", rb"\1", delimiter[1:-1]).decode()
        yield name, delimiter, sorted(attributes.decode().split())


def number(client, code):
    data = client.response(code)[1]
    return int(data[-1]) if data and data[-1] else None


def message(head, literal, tail, limit):
    text = head + b" " + tail
    body = literal
    if body is None:
        short = re.search(rb'BODY\[\] "((?:\\.|[^"])*)"', text)
        body = re.sub(rb"\\(.)", rb"\1", short.group(1)) if short else None
    flags = re.search(rb"FLAGS \(([^)]*)\)", text).group(1).decode().split()
    held = {
        "uid": int(re.search(rb"\bUID (\d+)", text).group(1)),
        "flags": sorted(f for f in flags if f != "\\Recent"),
        "internaldate": re.search(rb'INTERNALDATE "([^"]*)"', text).group(1).decode(),
        "size": int(re.search(rb"RFC822\.SIZE (\d+)", text).group(1)),
    }
    if body is not None:
        held["sha256"] = hashlib.sha256(body).hexdigest()
        held["length"] = len(body)
        if len(body) <= limit:
            held["body"] = body.hex()
    return held


def messages(client, limit):
    uids = []
    for line in checked(client.uid("FETCH", "1:*", "(UID)")):
        if line:
            uids.append(int(re.search(rb"\bUID (\d+)", line).group(1)))
    uids.sort()
    found = []
    for start in range(0, len(uids), CHUNK):
        part = uids[start : start + CHUNK]
        data = checked(
            client.uid("FETCH", f"{part[0]}:{part[-1]}", "(UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[])")
        )
        index = 0
        while index < len(data):
            item = data[index]
            index += 1
            if isinstance(item, tuple):
                found.append(message(item[0], item[1], data[index], limit))
                index += 1
            elif item and b"BODY[]" in item:
                found.append(message(item, None, b"", limit))
    return found


def mailboxes(client, action):
    # With \Noselect it is not the name that is subscribed, but one below it.
    subscribed = {name for name, _, attributes in listed(client, "LSUB") if "\\Noselect" not in attributes}
    result = []
    for wire, delimiter, attributes in listed(client, "LIST"):
        name = utf7_decode(wire)
        if action["only"] is not None and name != action["only"]:
            continue
        folded = [a.lower() for a in attributes]
        mailbox = {
            "name": name,
            "delimiter": delimiter,
            "attributes": [a for a in attributes if a.lower() not in ("\\marked", "\\unmarked")],
            "subscribed": wire in subscribed,
            "selectable": "\\noselect" not in folded and "\\nonexistent" not in folded,
            "messages": [],
        }
        if mailbox["selectable"]:
            client.untagged_responses.clear()
            checked(client.select(quoted(wire).decode("latin-1"), readonly=True))
            mailbox["uidvalidity"] = number(client, "UIDVALIDITY")
            mailbox["uidnext"] = number(client, "UIDNEXT")
            mailbox["highestmodseq"] = number(client, "HIGHESTMODSEQ")
            mailbox["messages"] = messages(client, action["bodies"])
        result.append(mailbox)
    return result


def append(client, action):
    """imaplib's own append() turns bare CR and LF into CRLF, so the command is built here."""
    results = []
    for mail in action["messages"]:
        client.literal = bytes.fromhex(mail["bytes"])
        client.untagged_responses.pop("APPENDUID", None)
        words = ["APPEND", argument(action["mailbox"]), "(" + mail["flags"] + ")"]
        if mail["internaldate"]:
            words.append('"' + mail["internaldate"] + '"')
        status, data = client._simple_command(*words)
        if status == "OK":
            code = re.search(rb"\[APPENDUID \d+ (\d+)\]", data[-1])
            results.append({"uid": int(code.group(1)) if code else None})
        else:
            results.append({"refused": data[-1].decode("utf-8", "replace")})
    return results


def fill(client, action):
    """Makes mailboxes that are missing, subscribes and appends: all on one connection."""
    there = {name for name, _, _ in listed(client, "LIST")}
    results = []
    for mailbox in action["mailboxes"]:
        name = argument(mailbox["mailbox"])
        if utf7_encode(mailbox["mailbox"]) not in there:
            checked(client._simple_command("CREATE", name))
        if mailbox["subscribed"]:
            checked(client._simple_command("SUBSCRIBE", name))
        results.append(append(client, mailbox))
    return results


def select(client, action):
    checked(client.select(argument(action["mailbox"]).decode(), readonly=False))


def store(client, action):
    select(client, action)
    checked(client.uid("STORE", action["uids"], action["how"] + ".SILENT", "(" + action["flags"] + ")"))


def expunge(client, action):
    """Marks and expunges; with UIDPLUS only what was asked for."""
    select(client, action)
    checked(client.uid("STORE", action["uids"], "+FLAGS.SILENT", "(\\Deleted)"))
    if "UIDPLUS" in client.capabilities:
        checked(client.uid("EXPUNGE", action["uids"]))
    else:
        checked(client.expunge())


def on_names(command):
    def run(client, action):
        checked(client._simple_command(command, *[argument(name) for name in action["names"]]))

    return run


ACTIONS = {
    "mailboxes": mailboxes,
    "append": append,
    "fill": fill,
    "store": store,
    "expunge": expunge,
    "create": on_names("CREATE"),
    "rename": on_names("RENAME"),
    "delete": on_names("DELETE"),
    "subscribe": on_names("SUBSCRIBE"),
    "unsubscribe": on_names("UNSUBSCRIBE"),
}


def main():
    job = json.load(sys.stdin)
    try:
        client = connect(job)
        # The list from before the login may be a shorter one.
        client.capabilities = tuple(checked(client.capability())[-1].decode().upper().split())
        answer = {"result": ACTIONS[job["action"]["do"]](client, job["action"])}
        client.logout()
    except (RuntimeError, OSError, imaplib.IMAP4.error) as error:
        answer = {"error": str(error)}
    json.dump(answer, sys.stdout)


main()
