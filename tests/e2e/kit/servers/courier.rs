//! A real Courier-IMAP: delimiter `.`, everything under `INBOX.`, no MULTIAPPEND, no LITERAL+. Knows nothing of the product.
//!
//! Its packages push Dovecot out, so they are unpacked into a directory of their own, with the libraries that they
//! need, and run there by `chroot`. Needs root.

use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use fs2::FileExt;

use super::dovecot::is_root;
use super::supervise::Supervised;
use crate::kit::run::tempdir::TempDir;
use crate::kit::servers::port;
use crate::kit::{Endpoint, PATIENCE};

const PACKAGES: [&str; 9] = [
    "courier-authdaemon",
    "courier-authlib",
    "courier-authlib-userdb",
    "courier-base",
    "courier-imap",
    "gamin",
    "libcourier-unicode4",
    "libgamin0",
    "libltdl7",
];
const AUTHDAEMOND: &str = "/usr/lib/courier/courier-authlib/authdaemond";
const MAKEDAT: &str = "/usr/lib/courier/courier-authlib/makedatprog";
const LOGIN: &str = "/usr/lib/courier/courier/imaplogin";
const AUTHDAEMONRC: &str = "authmodulelist=\"authuserdb\"\nauthmodulelistorig=\"authuserdb\"\ndaemons=2\n\
    authdaemonvar=/run/courier/authdaemon\nDEBUG_LOGIN=0\nDEFAULTOPTIONS=\"\"\nLOGGEROPTS=\"\"\n";
/// `mail` of Debian, which owns the mail.
const MAIL: &str = "8:8";
const ENVIRONMENT: [&str; 10] = [
    "IMAP_CAPABILITY=IMAP4rev1 UIDPLUS CHILDREN NAMESPACE THREAD=REFERENCES SORT QUOTA IDLE",
    "IMAP_KEYWORDS=1",
    // Locks would wait for a file alteration monitor, which does not run.
    "IMAP_USELOCKS=0",
    "IMAP_MAILBOX_SANITY_CHECK=1",
    "IMAP_UMASK=022",
    "IMAP_ULIMITD=131072",
    "IMAP_IDLE_TIMEOUT=60",
    "IMAP_TLS_REQUIRED=0",
    "TCPLOGIN=1",
    "AUTHMODULES=authdaemon",
];

/// A running Courier; stops when dropped.
pub struct Courier {
    /// Port of plain connections.
    pub imap_port: u16,
    // The processes go before their directory.
    login: Option<Supervised>,
    _daemon: Supervised,
    dir: TempDir,
}

impl Courier {
    /// Starts one with these users and passwords and waits until it answers.
    pub fn start(accounts: &[(&str, &str)]) -> Self {
        assert!(is_root(), "courier is run by chroot: run the tests as root");
        let dir = TempDir::new();
        let root = dir.join("root");
        run(Command::new("cp").arg("-a").arg(unpacked()).arg(&root));
        for number in 0..accounts.len() {
            make_home(&root, number);
        }
        make_databases(&root, accounts);
        run(Command::new("chown")
            .args(["-R", MAIL])
            .args([root.join("home"), root.join("run")]));
        let root_text = root.display().to_string();
        let command = ["chroot", &root_text, AUTHDAEMOND];
        let daemon = Supervised::start(&command, &dir.join("passwords"));
        let socket = root.join("run/courier/authdaemon/socket");
        crate::kit::wait_until("courier's authdaemond", || socket.exists());
        let mut courier = Self {
            imap_port: 0,
            login: None,
            _daemon: daemon,
            dir,
        };
        for _ in 0..10 {
            courier.imap_port = port::free();
            if courier.launch(&root_text) {
                return courier;
            }
        }
        panic!("courier does not answer: {}", courier.console());
    }

    /// No protection.
    pub fn plain(&self) -> Endpoint {
        Endpoint::plain(self.imap_port)
    }

    fn launch(&mut self, root: &str) -> bool {
        let port = self.imap_port.to_string();
        // It leaves its session: only with a namespace of its own does all of it end.
        let mut command = vec!["unshare", "--pid", "--fork", "--kill-child"];
        command.extend(["env", "-i", "PATH=/usr/sbin:/usr/bin"]);
        command.extend(ENVIRONMENT);
        command.extend([
            "chroot",
            root,
            "/usr/sbin/couriertcpd",
            "-address=127.0.0.1",
        ]);
        command.extend([
            "-maxprocs=40",
            "-maxperip=40",
            "-nodnslookup",
            "-noidentlookup",
            &port,
        ]);
        command.extend([LOGIN, "/usr/bin/imapd", "Maildir"]);
        self.login = Some(Supervised::start(&command, &self.dir.join("console")));
        let start = Instant::now();
        while start.elapsed() < PATIENCE / 4 {
            if self.console().contains("bind:") {
                return false;
            }
            if greets(self.imap_port) {
                return true;
            }
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        false
    }

    fn console(&self) -> String {
        fs::read_to_string(self.dir.join("console")).unwrap_or_default()
    }
}

fn greets(port: u16) -> bool {
    let Ok(stream) = TcpStream::connect(("127.0.0.1", port)) else {
        return false;
    };
    let mut greeting = String::new();
    let read = stream
        .set_read_timeout(Some(PATIENCE / 4))
        .and_then(|()| BufReader::new(stream).read_line(&mut greeting));
    read.is_ok() && greeting.starts_with("* OK") && greeting.contains("Courier")
}

fn make_home(root: &Path, number: usize) {
    let home = format!("/home/{number}");
    fs::create_dir_all(root.join(&home[1..])).expect("create a home");
    run(Command::new("chroot")
        .arg(root)
        .arg("/usr/bin/maildirmake.courier")
        .arg(format!("{home}/Maildir")));
}

/// What its `makeuserdb` makes of `/etc/courier/userdb`, and of the passwords in it.
fn make_databases(root: &Path, accounts: &[(&str, &str)]) {
    let mut users = String::new();
    let mut shadow = String::new();
    for (number, (user, password)) in accounts.iter().enumerate() {
        let home = format!("/home/{number}");
        users += &format!("{user}\tuid=8|gid=8|home={home}|mail={home}/Maildir|_=\n");
        shadow += &format!("{user}\timappw={}\n", crypt(password));
    }
    for (name, text) in [("userdb.dat", users), ("userdbshadow.dat", shadow)] {
        let mut child = Command::new("chroot")
            .arg(root)
            .args([
                MAKEDAT,
                "-",
                "/etc/courier/new",
                &format!("/etc/courier/{name}"),
            ])
            .stdin(Stdio::piped())
            .spawn()
            .expect("start chroot");
        let mut pipe = child.stdin.take().expect("a pipe");
        writeln!(pipe, "{text}.").expect("hand over the users");
        drop(pipe);
        assert!(child.wait().is_ok_and(|status| status.success()));
    }
    fs::write(root.join("etc/courier/userdb"), "").expect("write userdb");
    // What others could read is not believed.
    for name in ["userdb", "userdb.dat", "userdbshadow.dat"] {
        let file = root.join("etc/courier").join(name);
        fs::set_permissions(file, Permissions::from_mode(0o600)).expect("protect the users");
    }
}

fn crypt(password: &str) -> String {
    let mut child = Command::new("openssl")
        .args(["passwd", "-1", "-stdin"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("start openssl");
    let mut pipe = child.stdin.take().expect("a pipe");
    pipe.write_all(password.as_bytes())
        .expect("hand over a password");
    drop(pipe);
    let output = child.wait_with_output().expect("openssl");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// The packages, unpacked once, with all libraries that their programs load.
fn unpacked() -> PathBuf {
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("courier");
    fs::create_dir_all(&cache).expect("create the cache");
    let lock = fs::File::create(cache.join("lock")).expect("create the lock");
    FileExt::lock_exclusive(&lock).expect("lock the cache");
    let root = cache.join("root");
    if root.is_dir() {
        return root;
    }
    let partial = cache.join("partial");
    let _ = fs::remove_dir_all(&partial);
    let downloads = cache.join("downloads");
    let _ = fs::remove_dir_all(&downloads);
    fs::create_dir(&downloads).expect("create the directory of downloads");
    run(Command::new("apt-get")
        .args(["-q", "download"])
        .args(PACKAGES)
        .current_dir(&downloads));
    for package in fs::read_dir(&downloads)
        .expect("list the downloads")
        .flatten()
    {
        run(Command::new("dpkg")
            .arg("-x")
            .arg(package.path())
            .arg(&partial));
    }
    for directory in ["dev", "tmp", "home", "run/courier/authdaemon", "lib64"] {
        fs::create_dir_all(partial.join(directory)).expect("create a directory");
    }
    for (device, minor) in [
        ("null", "3"),
        ("zero", "5"),
        ("random", "8"),
        ("urandom", "9"),
    ] {
        run(Command::new("mknod")
            .args(["-m", "666"])
            .arg(partial.join("dev").join(device))
            .args(["c", "1", minor]));
    }
    fs::write(
        partial.join("etc/passwd"),
        "root:x:0:0::/:/bin/sh\nmail:x:8:8::/home:/bin/sh\ncourier:x:8:8::/home:/bin/sh\n",
    )
    .expect("write passwd");
    fs::write(
        partial.join("etc/group"),
        "root:x:0:\nmail:x:8:\ncourier:x:8:\n",
    )
    .expect("write group");
    fs::write(partial.join("etc/courier/authdaemonrc"), AUTHDAEMONRC).expect("write authdaemonrc");
    for library in libraries(&partial) {
        let to = partial.join(library.strip_prefix("/").expect("an absolute path"));
        fs::create_dir_all(to.parent().expect("a parent")).expect("create a directory");
        fs::copy(&library, &to).expect("copy a library");
    }
    fs::remove_dir_all(&downloads).expect("remove the downloads");
    fs::rename(&partial, &root).expect("move the unpacked packages");
    root
}

/// Libraries of this machine that the programs below `root` load, by `ldd`.
fn libraries(root: &Path) -> BTreeSet<PathBuf> {
    let own = [root.join("usr/lib"), root.join("usr/lib/courier-authlib")];
    let mut programs = vec![
        root.join("usr/bin/imapd"),
        root.join("usr/bin/maildirmake.courier"),
        root.join("usr/sbin/couriertcpd"),
        root.join(&LOGIN[1..]),
        root.join(&AUTHDAEMOND[1..]),
        root.join(&MAKEDAT[1..]),
        own[1].join("libauthuserdb.so"),
    ];
    programs.retain(|program| program.is_file());
    let mut path: Vec<String> = own.iter().map(|dir| dir.display().to_string()).collect();
    let multiarch = run(Command::new("gcc").arg("-print-multiarch"));
    path.push(root.join("usr/lib").join(multiarch).display().to_string());
    let mut found = BTreeSet::new();
    for program in programs {
        let listed = run(Command::new("ldd")
            .arg(&program)
            .env("LD_LIBRARY_PATH", path.join(":")));
        let words = listed.split_ascii_whitespace();
        let files = words
            .filter(|word| word.starts_with('/'))
            .map(PathBuf::from);
        found.extend(files.filter(|file| !file.starts_with(root)));
    }
    found
}

fn run(command: &mut Command) -> String {
    let output = command.output();
    let output = output.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(
        output.status.success(),
        "{command:?} (apt-get update may help): {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}
