#!/usr/bin/env python3
"""An identity provider of a test's own: token endpoints over HTTPS that check what they get, and introspection.

    standin.py DIRECTORY                    serves; see below
    standin.py --jwt SECRET CLAIMS          prints a JWT signed with HS256

DIRECTORY holds server.pem and server.key (TLS), control.json (read at every request), and gets port and plain-port
(HTTP on loopback, for introspection), requests.jsonl (what was asked, and what was wrong with it) and tokens.jsonl
(everything secret that was given out). It knows nothing of the product.

control.json:
    google      {"email", "key_id", "public_key": FILE, "scopes": [...], "users": [...]}
    microsoft   {"tenant", "client_id", "secret", "certificate": FILE}
    client      {"id", "secret"}            of the user flows: device code, browser, refresh
    refresh     {TOKEN: USER}               refresh tokens that are good from the beginning
    life        seconds that a token lasts; expires_in says so
    silent_life true: expires_in says an hour whatever life is
    dead_below  tokens with a smaller number are not active, whatever their life
    introspect  HTTP status of the introspection endpoint, 200 where it works
    device      {"pending": N, "slow_down": N, "then": "grant" or an error}
    rotate      false: no new refresh token comes with a new token
    pad         so many further characters in each token
    tenant_user the address that introspection says for a tenant's token
    faults      [{"grant", "status", "body", "headers"}, ...]: answers given instead, each once
"""

import base64
import hashlib
import hmac
import json
import os
import secrets
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
DEVICE = "urn:ietf:params:oauth:grant-type:device_code"


def b64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64url(text):
    if "=" in text or "+" in text or "/" in text:
        raise Wrong("not base64url without padding")
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def hs256(secret, claims):
    signed = b64url(b'{"alg":"HS256","typ":"JWT"}') + "." + b64url(json.dumps(claims).encode())
    return signed + "." + b64url(hmac.new(secret.encode(), signed.encode(), hashlib.sha256).digest())


class Wrong(Exception):
    """What is wrong with a request."""


class Denied(Exception):
    """An OAuth error that belongs to the flow."""


def need(condition, what):
    if not condition:
        raise Wrong(what)


def verify(signed, signature, public_key, options):
    """Has openssl, which is not the product's code, check a signature."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(signature)
        file.flush()
        command = ["openssl", "dgst", "-sha256", *options, "-verify", public_key, "-signature", file.name]
        return subprocess.run(command, input=signed, capture_output=True, check=False).returncode == 0


def jwt(text, algorithm, public_key, options=()):
    parts = text.split(".")
    need(len(parts) == 3, "the JWT has not three parts")
    header, claims = (json.loads(unb64url(part)) for part in parts[:2])
    need(header.get("alg") == algorithm, "alg is not " + algorithm)
    need(header.get("typ") == "JWT", "typ is not JWT")
    signed = ".".join(parts[:2]).encode()
    need(verify(signed, unb64url(parts[2]), public_key, options), "the JWT's signature is wrong")
    now = time.time()
    need(isinstance(claims.get("iat"), int) and abs(claims["iat"] - now) < 60, "iat is not now")
    need(isinstance(claims.get("exp"), int) and now < claims["exp"] <= claims["iat"] + 3600, "exp is out of bounds")
    return header, claims


class Provider:
    def __init__(self, directory):
        self.directory = directory
        self.lock = threading.Lock()
        self.tokens = {}  # token -> (number, user, end)
        self.refresh = {}
        self.devices = {}
        self.codes = {}
        self.used = 0

    def path(self, name):
        return os.path.join(self.directory, name)

    def control(self):
        with open(self.path("control.json"), encoding="utf-8") as file:
            return json.load(file)

    def note(self, name, line):
        with open(self.path(name), "a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def give(self, kind, text):
        self.note("tokens.jsonl", {"kind": kind, "text": text})
        return text

    def granted(self, control, user):
        number = len(self.tokens)
        token = "at-%d-%s%s" % (number, secrets.token_hex(16), "x" * control.get("pad", 0))
        life = control.get("life", 3600)
        self.tokens[self.give("access", token)] = (number, user, time.time() + life)
        says = 3600 if control.get("silent_life") else life
        return {"token_type": "Bearer", "expires_in": says, "access_token": token}

    def token(self, control, form):
        grant = form.get("grant_type")
        if grant == JWT_BEARER:
            return self.google(control, form)
        if grant == "client_credentials":
            return self.microsoft(control, form)
        self.client(control, form)
        if grant == "refresh_token":
            return self.refreshed(control, form)
        if grant == DEVICE:
            return self.device(control, form)
        if grant == "authorization_code":
            return self.code(control, form)
        raise Wrong("unknown grant_type")

    def google(self, control, form):
        google = control["google"]
        need(set(form) == {"grant_type", "assertion"}, "other fields than grant_type and assertion")
        header, claims = jwt(form["assertion"], "RS256", google["public_key"])
        need(header.get("kid") == google["key_id"], "kid is not the key's")
        need(claims.get("iss") == google["email"], "iss is not the service account")
        need(claims.get("aud") == control["url"] + "/google/token", "aud is not this endpoint")
        for scope in claims.get("scope", "").split(" "):
            if scope not in google["scopes"]:
                raise Denied("unauthorized_client", "Client is unauthorized to retrieve access tokens using this "
                             "method, or client not authorized for any of the scopes requested.")
        if claims.get("sub") not in google["users"]:
            raise Denied("invalid_grant", "Invalid email or User ID")
        return self.granted(control, claims["sub"])

    def microsoft(self, control, form):
        app = control["microsoft"]
        need(form.get("client_id") == app["client_id"], "client_id is not the app's")
        need(form.get("scope") == "https://outlook.office365.com/.default", "scope is not Exchange's")
        if "client_assertion" not in form:
            if form.get("client_secret") != app["secret"]:
                raise Denied("invalid_client", "AADSTS7000215: Invalid client secret provided. Ensure the secret being "
                             "sent in the request is the client secret value, not the client secret ID.")
            return self.granted(control, None)
        need("client_secret" not in form, "a secret beside the assertion")
        need(form.get("client_assertion_type") == ASSERTION, "client_assertion_type is wrong")
        public = subprocess.run(["openssl", "x509", "-in", app["certificate"], "-pubkey", "-noout"],
                                capture_output=True, check=True).stdout
        with tempfile.NamedTemporaryFile() as key:
            key.write(public)
            key.flush()
            options = ["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:32"]
            header, claims = jwt(form["client_assertion"], "PS256", key.name, options)
        der = subprocess.run(["openssl", "x509", "-in", app["certificate"], "-outform", "DER"],
                             capture_output=True, check=True).stdout
        need(header.get("x5t#S256") == b64url(hashlib.sha256(der).digest()), "x5t#S256 is not the certificate's")
        need("x5t" not in header, "SHA-1 is used")
        need(claims.get("iss") == claims.get("sub") == app["client_id"], "iss and sub are not the app")
        need(claims.get("aud") == control["url"] + "/" + app["tenant"] + "/oauth2/v2.0/token", "aud is not this endpoint")
        need(len(claims.get("jti", "")) >= 16, "jti is missing")
        need(claims.get("nbf") == claims["iat"] and claims["exp"] <= claims["iat"] + 600, "nbf or exp is wrong")
        with self.lock:
            need(claims["jti"] not in self.codes, "jti is used again")
            self.codes[claims["jti"]] = None
        return self.granted(control, None)

    def client(self, control, form):
        client = control["client"]
        need(form.get("client_id") == client["id"], "client_id is not the client's")
        if form.get("client_secret") != client.get("secret"):
            raise Denied("invalid_client", "AADSTS7000218: The request body must contain the following parameter: "
                         "'client_assertion' or 'client_secret'.")

    def with_refresh(self, control, user):
        granted = self.granted(control, user)
        fresh = self.give("refresh", "rt-" + secrets.token_hex(16))
        self.refresh[fresh] = user
        return {**granted, "refresh_token": fresh}

    def refreshed(self, control, form):
        with self.lock:
            old = form.get("refresh_token")
            if self.used == 0:
                self.refresh.update(control.get("refresh", {}))
            self.used += 1
            user = self.refresh.get(old)
            if user is None:
                raise Denied("invalid_grant", "Token has been expired or revoked.")
            if not control.get("rotate", True):
                return self.granted(control, user)
            del self.refresh[old]
            return self.with_refresh(control, user)

    def devicecode(self, control, form):
        need(form.get("client_id") == control["client"]["id"], "client_id is not the client's")
        need("offline_access" in form.get("scope", ""), "scope asks for no refresh token")
        code = self.give("device", "dc-" + secrets.token_hex(16))
        self.devices[code] = {"asked": 0, "at": None, "slow": 0}
        return {"device_code": code, "user_code": "ABCD-1234", "verification_uri": "https://idp.example/devicelogin",
                "expires_in": control.get("device", {}).get("expires_in", 900), "interval": 1}

    def device(self, control, form):
        plan = control.get("device", {})
        state = self.devices.get(form.get("device_code"))
        need(state is not None, "device_code is unknown")
        now = time.monotonic()
        interval = 1 + 5 * state["slow"]
        # A timer may fire a little early.
        need(state["at"] is None or now - state["at"] >= interval * 0.9, "asked before the interval was over")
        state["at"] = now
        state["asked"] += 1
        if state["asked"] <= plan.get("pending", 0):
            raise Denied("authorization_pending", "AADSTS70016: OAuth 2.0 device flow error. Authorization is pending.")
        if state["slow"] < plan.get("slow_down", 0):
            state["slow"] += 1
            raise Denied("slow_down", "")
        if plan.get("then", "grant") != "grant":
            raise Denied(plan["then"], "")
        return self.with_refresh(control, plan["user"])

    def code(self, control, form):
        with self.lock:
            asked = self.codes.pop(form.get("code"), None)
        need(asked is not None, "code is unknown or used")
        need(form.get("redirect_uri") == asked["redirect_uri"], "redirect_uri is another one")
        verifier = form.get("code_verifier", "")
        need(43 <= len(verifier) <= 128, "code_verifier has not 43 to 128 characters")
        challenge = b64url(hashlib.sha256(verifier.encode()).digest())
        need(challenge == asked["code_challenge"], "code_verifier does not fit code_challenge")
        return self.with_refresh(control, asked["login_hint"])

    def authorize(self, control, query):
        need(query.get("response_type") == "code", "response_type is not code")
        need(query.get("client_id") == control["client"]["id"], "client_id is not the client's")
        need(query.get("code_challenge_method") == "S256", "code_challenge_method is not S256")
        need(len(query.get("code_challenge", "")) == 43, "code_challenge is no SHA-256")
        need(len(query.get("state", "")) >= 20, "state can be guessed")
        need(query.get("scope"), "scope is missing")
        back = urllib.parse.urlsplit(query["redirect_uri"])
        need(back.scheme == "http" and back.hostname == "127.0.0.1" and back.port, "redirect_uri is not on loopback")
        code = self.give("code", "co-" + secrets.token_hex(16))
        self.codes[code] = query
        return query["redirect_uri"] + "?" + urllib.parse.urlencode({"code": code, "state": query["state"]})

    def introspect(self, control, token):
        number, user, end = self.tokens.get(token, (-1, None, 0))
        active = number >= control.get("dead_below", 0) and time.time() < end
        if not active:
            return {"active": False}
        return {"active": True, "email": user or control.get("tenant_user", ""), "scope": "imap"}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    provider = None

    def log_message(self, *_):
        pass

    def do_GET(self):
        provider, control = self.provider, self.provider.control()
        url = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        if url.path == "/introspect":
            header = self.headers.get("Authorization", "")
            status = control.get("introspect", 200)
            answer = provider.introspect(control, query.get("token") or header.removeprefix("Bearer "))
            return self.answer(status, answer if status == 200 else {})
        if url.path.endswith("/authorize"):
            return self.carry_out("authorize", lambda: provider.authorize(control, query))
        return self.answer(404, {})

    def do_POST(self):
        provider, control = self.provider, self.provider.control()
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        pairs = urllib.parse.parse_qsl(body, keep_blank_values=True, strict_parsing=True)
        form = dict(pairs)
        grant = form.get("grant_type", "devicecode")
        if self.headers.get("Content-Type") != "application/x-www-form-urlencoded" or len(form) != len(pairs):
            return self.answer(400, {"error": "invalid_request", "error_description": "not a form"})
        with provider.lock:
            left = control.get("faults", [])[len(provider.devices.setdefault("faults", [])):]
            fault = left[0] if left and left[0]["grant"] == grant else None
            if fault:
                provider.devices["faults"].append(grant)
        if fault:
            provider.note("requests.jsonl", {"grant": grant, "path": self.path, "outcome": "fault"})
            return self.answer(fault["status"], fault.get("body", {}), fault.get("headers"))
        if self.path.endswith("/devicecode"):
            return self.carry_out(grant, lambda: provider.devicecode(control, form))
        if self.path.endswith("/token"):
            return self.carry_out(grant, lambda: provider.token(control, form))
        return self.answer(404, {})

    def carry_out(self, grant, work):
        note = {"grant": grant, "path": self.path.split("?")[0]}
        try:
            granted = work()
        except Denied as denied:
            note["outcome"] = denied.args[0]
            self.provider.note("requests.jsonl", note)
            return self.answer(400, {"error": denied.args[0], "error_description": denied.args[1], "error_codes": [1]})
        except (Wrong, KeyError, ValueError) as wrong:
            note["outcome"] = "wrong"
            note["wrong"] = repr(wrong)
            self.provider.note("requests.jsonl", note)
            return self.answer(400, {"error": "invalid_request", "error_description": "stand-in: " + repr(wrong)})
        note["outcome"] = "granted"
        self.provider.note("requests.jsonl", note)
        if isinstance(granted, str):
            return self.answer(302, {}, {"Location": granted})
        return self.answer(200, granted)

    def answer(self, status, body, headers=None):
        data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


def announce(path, port):
    with open(path + ".new", "w", encoding="ascii") as file:
        file.write(str(port))
    os.rename(path + ".new", path)


def main():
    if sys.argv[1] == "--jwt":
        print(hs256(sys.argv[2], json.loads(sys.argv[3])))
        return
    directory = sys.argv[1]
    Handler.provider = Provider(directory)
    server, plain = Server(("127.0.0.1", 0), Handler), Server(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(os.path.join(directory, "server.pem"), os.path.join(directory, "server.key"))
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=plain.serve_forever, daemon=True).start()
    announce(os.path.join(directory, "plain-port"), plain.server_address[1])
    announce(os.path.join(directory, "port"), server.server_address[1])
    server.serve_forever()


if __name__ == "__main__":
    main()
