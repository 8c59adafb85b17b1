//! A real Cyrus: a second opinion with delimiter `.` and everything under `INBOX.`. Knows nothing of the product.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use fs2::FileExt;

use super::dovecot::is_root;
use super::supervise::Supervised;
use crate::kit::run::tempdir::TempDir;
use crate::kit::servers::port;
use crate::kit::{Endpoint, PATIENCE};

const MASTER: &str = "/usr/lib/cyrus/bin/master";

/// A running Cyrus; stops when dropped. Needs root, as Cyrus runs under its own user only.
pub struct Cyrus {
    /// Port of plain connections.
    pub imap_port: u16,
    // The process goes before its directory.
    process: Option<Supervised>,
    dir: TempDir,
}

impl Cyrus {
    /// Starts one with these users and passwords and waits until it answers; `migration` may act as anybody; Sent and Trash exist after the first login.
    pub fn start(accounts: &[(&str, &str)]) -> Self {
        assert!(is_root(), "cyrus runs as root only: run the tests as root");
        let missing = "cyrus is missing: apt-get install cyrus-common sasl2-bin libsasl2-modules";
        assert!(Path::new(MASTER).is_file(), "{missing}");
        let mut cyrus = Self {
            imap_port: 0,
            process: None,
            dir: TempDir::new(),
        };
        for name in ["conf", "spool", "run"] {
            fs::create_dir(cyrus.dir.join(name)).expect("create a directory of the server");
        }
        // Its user must be able to reach it, wherever the build directory is.
        fs::copy(imapd(), cyrus.dir.join("imapd")).expect("copy imapd");
        for (user, password) in accounts {
            cyrus.add_user(user, password);
        }
        for _ in 0..10 {
            cyrus.imap_port = port::free();
            match cyrus.launch() {
                Ok(()) => return cyrus,
                Err(console) => assert!(
                    console.is_empty(),
                    "cyrus does not start; see also the system log:\n{console}"
                ),
            }
        }
        panic!("cyrus does not answer; see the system log");
    }

    /// No protection.
    pub fn plain(&self) -> Endpoint {
        Endpoint::plain(self.imap_port)
    }

    /// A user `name@domain` lives in a domain of its own; the password goes through a pipe.
    fn add_user(&self, user: &str, password: &str) {
        let own = self.realm();
        let (name, realm) = user.rsplit_once('@').unwrap_or((user, &own));
        let mut child = Command::new("saslpasswd2")
            .arg("-p")
            .arg("-f")
            .arg(self.dir.join("sasldb2"))
            .args(["-u", realm, "-c", name])
            .stdin(Stdio::piped())
            .spawn()
            .expect("saslpasswd2 is missing: apt-get install sasl2-bin");
        let mut pipe = child.stdin.take().expect("a pipe");
        pipe.write_all(password.as_bytes())
            .expect("hand over a password");
        drop(pipe);
        assert!(child.wait().is_ok_and(|status| status.success()));
    }

    /// Starts the process on the chosen port; the error is what it printed.
    fn launch(&mut self) -> Result<(), String> {
        let dir = self.dir.path().display();
        let (imapd_conf, cyrus_conf) = (self.dir.join("imapd.conf"), self.dir.join("cyrus.conf"));
        fs::write(&imapd_conf, self.imapd_conf()).expect("write imapd.conf");
        let service = format!(
            "START {{\n}}\nSERVICES {{\n imap cmd=\"{dir}/imapd -C {dir}/imapd.conf -U 30\" listen=\"127.0.0.1:{}\" prefork=0\n}}\nEVENTS {{\n}}\n",
            self.imap_port
        );
        fs::write(&cyrus_conf, service).expect("write cyrus.conf");
        let owned = Command::new("chown")
            .args(["-R", "cyrus:mail"])
            .arg(self.dir.path())
            .status();
        assert!(owned.is_ok_and(|status| status.success()), "no user cyrus");
        let console = self.dir.join("console");
        let [imapd_conf, cyrus_conf, pid] = [imapd_conf, cyrus_conf, self.dir.join("run/pid")]
            .map(|path| path.display().to_string());
        let command = [MASTER, "-C", &imapd_conf, "-M", &cyrus_conf, "-p", &pid];
        self.process = Some(Supervised::start(&command, &console));
        let start = Instant::now();
        while !self.answers() {
            // Master says nothing about a port that is taken; it tries for ever.
            if start.elapsed() > PATIENCE / 4 {
                self.process = None;
                return Err(fs::read_to_string(&console).unwrap_or_default());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    fn imapd_conf(&self) -> String {
        let (dir, realm) = (self.dir.path().display(), self.realm());
        format!(
            "proxyservers: migration\nconfigdirectory: {dir}/conf\npartition-default: {dir}/spool\ndefaultpartition: default\n\
             proc_path: {dir}/run/proc\nmboxname_lockpath: {dir}/run/lock\nidlesocket: {dir}/run/idle\n\
             servername: {realm}\nserverinfo: on\nvirtdomains: userid\ndefaultdomain: {realm}\nadmins: cyrus\n\
             sasl_pwcheck_method: auxprop\nsasl_auxprop_plugin: sasldb\nsasl_sasldb_path: {dir}/sasldb2\n\
             sasl_mech_list: PLAIN LOGIN\nallowplaintext: yes\naltnamespace: no\nunixhierarchysep: no\n\
             autocreate_quota: 0\nautocreate_inbox_folders: Sent|Trash\nautocreate_subscribe_folders: Sent\n\
             syslog_prefix: {realm}\n"
        )
    }

    /// Is it this very server that greets? The port may be another's by now.
    fn answers(&self) -> bool {
        let Ok(stream) = TcpStream::connect(("127.0.0.1", self.imap_port)) else {
            return false;
        };
        let mut greeting = String::new();
        let read = stream
            .set_read_timeout(Some(PATIENCE / 4))
            .and_then(|()| BufReader::new(stream).read_line(&mut greeting));
        read.is_ok() && greeting.starts_with("* OK") && greeting.contains(&self.realm())
    }

    /// The server's name, which no other server has, and the domain of users without one.
    fn realm(&self) -> String {
        let name = self.dir.path().file_name().expect("a name");
        format!("{}.test", name.to_string_lossy())
    }
}

/// The `imapd` of the package cyrus-imapd, unpacked once: as a package it would push Dovecot out.
fn imapd() -> PathBuf {
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cyrus");
    fs::create_dir_all(&cache).expect("create the cache");
    let lock = fs::File::create(cache.join("lock")).expect("create the lock");
    FileExt::lock_exclusive(&lock).expect("lock the cache");
    let version = run(Command::new("dpkg-query").args(["-W", "-f", "${Version}", "cyrus-common"]));
    let unpacked = cache.join(&version);
    let imapd = unpacked.join("usr/lib/cyrus/bin/imapd");
    if !imapd.is_file() {
        let package = format!("cyrus-imapd={version}");
        run(Command::new("apt-get")
            .args(["-q", "download", &package])
            .current_dir(&cache));
        let archive = fs::read_dir(&cache)
            .expect("list the cache")
            .flatten()
            .map(|entry| entry.path())
            .find(|path| path.extension().is_some_and(|extension| extension == "deb"))
            .expect("the package that apt-get has downloaded");
        let partial = cache.join("partial");
        run(Command::new("dpkg").arg("-x").arg(&archive).arg(&partial));
        fs::rename(&partial, &unpacked).expect("move the unpacked package");
        fs::remove_file(&archive).expect("remove the package");
    }
    imapd
}

fn run(command: &mut Command) -> String {
    let output = command.output();
    let output = output.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(
        output.status.success(),
        "{command:?} (apt-get update, and apt-get install cyrus-common in its newest version, may help): {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}
