"""A throw-away Dovecot on loopback, for the benchmarks.

Own directory, own ports, own certificate authority; nothing of the machine's
mail set-up is read or touched. Knows no client and no mail.
"""

import grp
import os
import pathlib
import pwd
import shutil
import socket
import subprocess
import time

PASSWORD = "bench password"

CONFIG = """
base_dir = {dir}/run
state_dir = {dir}/state
log_path = {dir}/dovecot.log
protocols = imap
listen = 127.0.0.1
ssl = yes
ssl_cert = <{dir}/server.pem
ssl_key = <{dir}/server.key
disable_plaintext_auth = no
auth_mechanisms = plain login
mail_location = maildir:~/Maildir:LAYOUT=fs
mail_fsync = {fsync}
first_valid_uid = 1
default_vsz_limit = 2G
mail_max_userip_connections = 100
{identity}
passdb {{
  driver = passwd-file
  args = username_format=%u {dir}/users
}}
userdb {{
  driver = static
  args = uid={user} gid={group} home={dir}/home/%u
}}
namespace inbox {{
  inbox = yes
  separator = /
}}
service imap-login {{
  {chroot}
  inet_listener imap {{
    port = {plain_port}
  }}
  inet_listener imaps {{
    port = {tls_port}
    ssl = yes
  }}
}}
"""

# As an ordinary user Dovecot can neither change identity nor chroot.
UNPRIVILEGED = """default_internal_user = {user}
default_internal_group = {group}
default_login_user = {user}
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}"""


class Dovecot:
    """Runs between `with` and its end; `accounts` are created as given."""

    FSYNC = "optimized"  # Dovecot's default; it matters for writing, less for reading

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.ca_file = self.directory / "ca.pem"
        self.tls_port, self.plain_port = _free_ports(2)
        self._process = None
        program = shutil.which("dovecot", path=os.environ["PATH"] + ":/usr/sbin")
        if not program:
            raise SystemExit("dovecot is missing: apt-get install --no-install-recommends dovecot-imapd")
        self._program = program
        self.directory.mkdir(mode=0o755)
        self._user, self._group = _identity()
        (self.directory / "home").mkdir()
        os.chown(self.directory / "home", *self.owner)
        make_certificates(self.directory)

    @property
    def owner(self):
        """User and group ids that the mail files must belong to."""
        return pwd.getpwnam(self._user).pw_uid, grp.getgrnam(self._group).gr_gid

    @property
    def version(self):
        """As Dovecot itself names it."""
        return subprocess.check_output([self._program, "--version"], text=True).split()[0]

    def maildir(self, account):
        """Where the mail of `account` lies."""
        return self.directory / "home" / account / "Maildir"

    def start(self, accounts):
        """Starts the server for `accounts`, all with `PASSWORD`, and waits until it answers."""
        users = "".join(f"{account}:{{PLAIN}}{PASSWORD}\n" for account in accounts)
        (self.directory / "users").write_text(users)
        names = {"user": self._user, "group": self._group}
        root = os.geteuid() == 0
        config = self.directory / "dovecot.conf"
        config.write_text(
            CONFIG.format(
                dir=self.directory,
                fsync=self.FSYNC,
                identity="" if root else UNPRIVILEGED.format(**names),
                chroot="" if root else "chroot =",
                tls_port=self.tls_port,
                plain_port=self.plain_port,
                **names,
            )
        )
        self._process = subprocess.Popen([self._program, "-F", "-c", str(config)], stdin=subprocess.DEVNULL)
        self._wait()

    def _wait(self):
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                with socket.create_connection(("127.0.0.1", self.plain_port), timeout=10) as connection:
                    if connection.recv(4) == b"* OK":
                        return
            except OSError:
                pass
            time.sleep(0.05)
        log = self.directory / "dovecot.log"
        self.stop()
        raise SystemExit(f"dovecot does not answer:\n{log.read_text() if log.exists() else 'no log'}")

    def stop(self):
        """Stops what `start` started; does nothing the second time."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait()
            self._process = None


def make_certificates(directory):
    """A certificate authority (ca.pem) and a certificate for localhost signed by it."""

    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], cwd=directory, check=True, capture_output=True)

    new = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30"]
    openssl(*new, "-subj", "/CN=bench CA", "-keyout", "ca.key", "-out", "ca.pem")
    openssl(
        *new,
        *("-CA", "ca.pem", "-CAkey", "ca.key", "-subj", "/CN=localhost"),
        *("-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE"),
        *("-keyout", "server.key", "-out", "server.pem"),
    )


def _identity():
    """Dovecot refuses to read mail as root, so root lends it the user `mail`."""
    if os.geteuid() == 0:
        return "mail", "mail"
    return pwd.getpwuid(os.geteuid()).pw_name, grp.getgrgid(os.getegid()).gr_name


def _free_ports(count):
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [listener.getsockname()[1] for listener in listeners]
    for listener in listeners:
        listener.close()
    return ports
