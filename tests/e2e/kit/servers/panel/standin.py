#!/usr/bin/env python3
"""A stand-in for a DirectAdmin panel: its legacy API over HTTPS, with its many spellings and failures.

usage: standin.py DIRECTORY [--plain]

DIRECTORY holds control.json (read anew for each request), server.pem and server.key; the stand-in writes there
port (when it listens), requests.jsonl (each request as it came) and mailboxes.json (after each change).

control.json:
  users       {"bob": "secret", ...}
  domains     {"bob": {"example.org": ["anna", {"name": "old", "suspended": true}]}}   taken once, at the start
  style       form | percent | entity | comma | json | json-list | json-old
  texts       plain | html | entity | double         how reasons of failures are written
  refusal     401 | page | redirect | form           what a wrong login gets
  pop         [names of the command that is known]
  gone        404 | page                             what an unknown command gets
  allow       {"bob": [commands]}                    what a login key may do; all when missing
  delay       seconds before each answer
  system      true: the user's own mailbox is listed
  least       least length of a password
  provision   {"users": passwd file, "mail": directory, "owner": "8:8", "delay": seconds, "skip": [names]}
  faults      [{"on": domains | list | full_list | create | any, "times": 1, "do": ...}]
"""

import base64
import json
import os
import ssl
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, quote, quote_plus, urlsplit

PAGE = "<!DOCTYPE html><html><head><title>%s</title></head><body><h1>%s</h1><p>Go &amp; see</p></body></html>"


class Panel:
    def __init__(self, directory):
        self.directory = directory
        self.lock = threading.Lock()
        self.at_work = 0
        self.used = {}
        domains = self.control().get("domains", {})
        row = lambda box: dict(box) if isinstance(box, dict) else {"name": box}
        self.domains = {user: {domain: [row(box) for box in boxes] for domain, boxes in owned.items()}
                        for user, owned in domains.items()}

    def path(self, name):
        return os.path.join(self.directory, name)

    def control(self):
        with open(self.path("control.json"), encoding="utf-8") as file:
            return json.load(file)

    def note(self, entry):
        with self.lock, open(self.path("requests.jsonl"), "a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")

    def fault(self, control, action):
        """The fault that this request meets, each as often as it says."""
        with self.lock:
            for number, fault in enumerate(control.get("faults", [])):
                if fault["on"] not in (action, "any"):
                    continue
                key = json.dumps([number, fault])
                self.used[key] = self.used.get(key, 0) + 1
                if fault.get("times") is None or self.used[key] <= fault["times"]:
                    return fault
        return None

    def add(self, control, user, domain, fields):
        """Creates a mailbox; the reason why not, or None."""
        name, password = fields["user"], fields["passwd"]
        if fields.get("passwd2", password) != password:
            return "Passwords do not match"
        if len(password) < control.get("least", 0):
            return "The password is <b>too short</b>: it needs %d characters" % control["least"]
        with self.lock:
            boxes = self.domains[user][domain]
            if any(box["name"] == name for box in boxes):
                return "That user already exists"
            boxes.append({"name": name, "quota": fields["quota"]})
            with open(self.path("mailboxes.json"), "w", encoding="utf-8") as file:
                json.dump(self.domains, file)
        self.provision(control, name + "@" + domain, password)
        return None

    def provision(self, control, email, password):
        """The mail server learns of the mailbox."""
        target = control.get("provision")
        if not target:
            return
        home = os.path.join(target["mail"], email)

        def write():
            os.makedirs(home, exist_ok=True)
            if os.getuid() == 0:
                uid, gid = (int(number) for number in target["owner"].split(":"))
                os.chown(home, uid, gid)
            with self.lock, open(target["users"], "a", encoding="utf-8") as file:
                file.write("%s:{PLAIN.HEX}%s:%s::%s::\n" % (email, password.encode().hex(), target["owner"], home))

        threading.Timer(target["delay"], write).start() if target.get("delay") else write()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    panel = None

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.serve({})

    def do_POST(self):
        length = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(length).decode("utf-8")
        self.serve(dict(parse_qsl(body, keep_blank_values=True)), body)

    # ---- one request ------------------------------------------------------------------------------------

    def serve(self, form, body=""):
        with self.panel.lock:
            self.panel.at_work += 1
        try:
            self.serve_one(form, body)
        finally:
            with self.panel.lock:
                self.panel.at_work -= 1

    def serve_one(self, form, body):
        panel = self.panel
        self.control = control = panel.control()
        parts = urlsplit(self.path)
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        fields = {**query, **form}
        command = parts.path.strip("/").split("/")[-1]
        user, secret = self.credentials()
        action = "domains" if command == "CMD_API_SHOW_DOMAINS" else fields.get("action", "other")
        panel.note({"method": self.command, "path": parts.path, "query": parts.query, "body": body, "user": user,
                    "action": action, "time": time.time(),
                    "connection": self.client_address[1], "at_work": panel.at_work})
        self.json = fields.get("json") == "yes"
        if control.get("delay"):
            time.sleep(control["delay"])
        fault = panel.fault(control, action)
        if fault and self.failing(fault, fields):
            return
        if secret is None or control["users"].get(user.split("|")[0]) != secret:
            return self.refuse(control.get("refusal", "401"))
        effective = user.split("|")[-1]
        if command not in control.get("allow", {}).get(user.split("|")[0], [command]):
            return self.refuse("redirect")
        if command == "CMD_API_SHOW_DOMAINS":
            return self.list(list(panel.domains.get(effective, {})))
        if command not in control.get("pop", ["CMD_API_POP", "CMD_API_EMAIL_POP"]):
            return self.unknown()
        domain = fields.get("domain")
        if domain not in panel.domains.get(effective, {}):
            return self.failure("Unable to show", "Domain does not belong to you")
        self.mailboxes(action, effective, domain, fields)

    def mailboxes(self, action, user, domain, fields):
        boxes = self.panel.domains[user][domain]
        if action == "list":
            names = [box["name"] for box in boxes]
            if self.control.get("system"):
                names.append(user)
            self.list(names)
        elif action == "full_list":
            rows = {box["name"]: "limit=0&quota=%s&suspended=%s&usage=0.01"
                    % (box.get("quota", 0), "yes" if box.get("suspended") else "no") for box in boxes}
            if self.style().startswith("json"):
                self.answer(json.dumps(rows))
            else:
                self.answer("&".join("%s=%s" % (quote(name), quote(row)) for name, row in rows.items()))
        elif action == "create" and self.command == "POST":
            reason = self.panel.add(self.control, user, domain, fields)
            if reason:
                self.failure("Unable to create POP account", reason)
            else:
                self.success("POP Account %s created" % fields["user"])
        else:
            self.failure("Unknown", "no such action")

    def credentials(self):
        header = self.headers.get("Authorization", "")
        if not header.startswith("Basic "):
            return "", None
        user, _, secret = base64.b64decode(header[6:]).decode("utf-8").partition(":")
        return user, secret

    # ---- answers in every spelling ----------------------------------------------------------------------

    def style(self):
        style = self.control.get("style", "form")
        return style if self.json or not style.startswith("json") else "form"

    def list(self, names):
        style = self.style()
        entities = lambda text: "".join(c if c.isalnum() else "&#%d" % ord(c) if ord(c) < 100 else c for c in text)
        self.answer({
            "form": lambda: "&".join("list[]=" + quote_plus(name) for name in names),
            "percent": lambda: "&".join("list%5B%5D=" + quote_plus(name) for name in names),
            "entity": lambda: "&".join("list&#91&#93=" + entities(name) for name in names),
            "comma": lambda: "list=" + ",".join(names) if names else "",
            "json": lambda: json.dumps(names),
            "json-list": lambda: json.dumps({"list": names}),
            "json-old": lambda: json.dumps({"error": "0", "list": names}),
        }[style]())

    def success(self, text):
        style = self.style()
        if style == "json-old":
            self.answer(json.dumps({"error": "0", "text": text}))
        elif style.startswith("json"):
            self.answer(json.dumps({"success": text, "result": ""}))
        else:
            self.answer("error=0&text=%s&details=" % quote_plus(text))

    def failure(self, title, reason, status=200):
        written = {
            "plain": lambda text: text,
            "html": lambda text: "<p><b>%s</b></p>&nbsp;" % text,
            "entity": lambda text: text.replace(" ", "&#32"),
            "double": lambda text: quote(text),
        }[self.control.get("texts", "plain")]
        title, reason = written(title), written(reason)
        style = self.style()
        if style == "json-old":
            body = json.dumps({"error": "1", "text": title, "details": reason})
        elif style.startswith("json"):
            body = json.dumps({"error": title, "result": reason})
        else:
            body = "details=%s&error=1&text=%s" % (quote_plus(reason), quote_plus(title))
        self.answer(body, status)

    def refuse(self, how):
        if how == "page":
            self.page(PAGE % ("DirectAdmin Login", "Please log in"), 200, {"X-DirectAdmin": "Unauthorized"})
        elif how == "redirect":
            self.page("", 302, {"Location": "/CMD_LOGIN"})
        elif how == "form":
            self.answer("details=Unauthorized&error=1&text=Not+logged+in")
        else:
            self.answer(json.dumps({"error": "Not logged in", "success": "no"}), 401)

    def unknown(self):
        if self.control.get("gone", "404") == "404":
            self.page(PAGE % ("404", "Not found"), 404)
        else:
            self.page(PAGE % ("Evolution", "Welcome"))

    def failing(self, fault, fields):
        """Carries a fault out; false when the request goes on in spite of it."""
        do = fault["do"]
        if do == "slow":
            time.sleep(fault["seconds"])
            return False
        if do == "claim":
            self.list(fault["names"])
        elif do == "fail":
            self.failure(fault["title"], fault["reason"], fault.get("status", 200))
        elif do == "status":
            self.page(fault.get("body", PAGE % ("Error", "Error")), fault["status"])
        elif do == "raw":
            self.page(fault["body"], fault.get("status", 200), fault.get("headers"))
        elif do == "refuse":
            self.refuse(fault["how"])
        elif do == "blacklisted":
            self.page("Your IP is blacklisted", 200)
            self.close_connection = True
        elif do == "huge":
            self.page("list[]=" + "x" * fault["bytes"])
        elif do in ("drop", "drop-after", "mumble-after"):
            if do != "drop":
                effective = self.credentials()[0].split("|")[-1]
                self.panel.add(self.control, effective, fields["domain"], fields)
            if do == "mumble-after":
                self.answer("thing=done")
            else:
                self.close_connection = True
                self.connection.close()
        elif do == "exists":
            name, domain = fields["user"], fields["domain"]
            effective = self.credentials()[0].split("|")[-1]
            self.panel.domains[effective][domain].append({"name": name})
            self.panel.provision(self.control, name + "@" + domain, fault["password"])
            self.failure("Unable to create POP account", "That user already exists")
        return True

    def answer(self, body, status=200):
        self.page(body, status, content_type="text/plain")

    def page(self, body, status=200, headers=None, content_type="text/html"):
        data = body.encode("utf-8", "surrogateescape")
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        try:
            self.wfile.write(data)
        except OSError:
            self.close_connection = True


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


def main():
    directory, plain = sys.argv[1], "--plain" in sys.argv[2:]
    Handler.panel = Panel(directory)
    server = Server(("127.0.0.1", 0), Handler)
    if not plain:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(os.path.join(directory, "server.pem"), os.path.join(directory, "server.key"))
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    port = os.path.join(directory, "port")
    with open(port + ".new", "w", encoding="ascii") as file:
        file.write(str(server.server_address[1]))
    os.rename(port + ".new", port)
    server.serve_forever()


if __name__ == "__main__":
    main()
