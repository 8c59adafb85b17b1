//! A real Dovecot of one's own: loopback, TLS, any accounts, gone with its guard. Knows nothing of the product.

mod config;

pub use config::storage_quota;

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::kit::PASSWORD;
use crate::kit::mail::Mail;
use crate::kit::run::tempdir::TempDir;
use crate::kit::servers::codec::{hex, utf7};
use crate::kit::servers::port;
use crate::kit::servers::supervise::Supervised;
use crate::kit::servers::tls::{Certificates, Shown};
use crate::kit::{Endpoint, PATIENCE, Security};

/// How mail is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Layout {
    /// Maildir, a directory per level: names may hold dots.
    #[default]
    Maildir,
    /// Maildir++, as on most hosts: `.Parent.Child`.
    MaildirPlusPlus,
    /// Dovecot's own format; cannot be seeded through files.
    Sdbox,
    /// The same with many messages in a file.
    Mdbox,
    /// A file per mailbox: it holds mail or other mailboxes, not both.
    Mbox,
}

/// What kind of Dovecot; `DovecotOptions { prefix: "INBOX.", ..DovecotOptions::of(&[("a", "b")]) }`.
#[derive(Debug, Clone)]
pub struct DovecotOptions {
    /// Users and passwords, of any characters except that users hold neither `:` nor a line break.
    pub accounts: Vec<(String, String)>,
    /// Logs in as anybody: user `somebody*NAME` with this password.
    pub master: Option<(String, String)>,
    /// Hierarchy delimiter.
    pub separator: char,
    /// Prefix of all names but INBOX.
    pub prefix: &'static str,
    /// How mail is stored.
    pub layout: Layout,
    /// Sent, Drafts, Trash, Junk and Archive exist, are subscribed and carry their attribute.
    pub special_use: bool,
    /// The certificate shown.
    pub certificate: Shown,
    /// Connections that one user may have; Dovecot's own default is 10.
    pub max_userip_connections: u32,
    /// `never`, `optimized` or `always`.
    pub mail_fsync: &'static str,
    /// Appended to the configuration.
    pub extra_config: String,
}

impl Default for DovecotOptions {
    fn default() -> Self {
        Self {
            accounts: vec![("anna@example.com".to_owned(), PASSWORD.to_owned())],
            master: None,
            separator: '/',
            prefix: "",
            layout: Layout::Maildir,
            special_use: false,
            certificate: Shown::Good,
            max_userip_connections: 100,
            mail_fsync: "never",
            extra_config: String::new(),
        }
    }
}

impl DovecotOptions {
    /// The default with these users and passwords.
    pub fn of(accounts: &[(&str, &str)]) -> Self {
        let owned = |(user, password): &(&str, &str)| ((*user).to_owned(), (*password).to_owned());
        Self {
            accounts: accounts.iter().map(owned).collect(),
            ..Self::default()
        }
    }
}

/// A running Dovecot; stops when dropped.
pub struct Dovecot {
    /// Port of plain connections and STARTTLS.
    pub imap_port: u16,
    /// Port of implicit TLS.
    pub imaps_port: u16,
    /// The CA that clients are to trust.
    pub ca_file: PathBuf,
    /// In force from the next [`Dovecot::start_again`] on.
    pub options: DovecotOptions,
    certificates: Certificates,
    // The process goes before its directory.
    process: Option<Supervised>,
    dir: TempDir,
}

impl Dovecot {
    /// Starts one and waits until it answers.
    pub fn start(options: DovecotOptions) -> Self {
        let dir = TempDir::new();
        let certificates = Certificates::make(dir.path(), options.certificate);
        let mut dovecot = Self {
            imap_port: 0,
            imaps_port: 0,
            ca_file: certificates.ca_file.clone(),
            options,
            certificates,
            process: None,
            dir,
        };
        for _ in 0..10 {
            dovecot.imap_port = port::free();
            dovecot.imaps_port = port::free();
            match dovecot.launch() {
                Ok(()) => return dovecot,
                Err(log) => assert!(
                    log.contains("Address already in use"),
                    "dovecot does not start (apt-get install dovecot-imapd, version 2.3):\n{log}"
                ),
            }
        }
        panic!("no free ports for dovecot");
    }

    /// One with the default options: anna@example.com, [`PASSWORD`].
    pub fn simple() -> Self {
        Self::start(DovecotOptions::default())
    }

    /// Implicit TLS.
    pub fn imaps(&self) -> Endpoint {
        Endpoint {
            host: "localhost".to_owned(),
            port: self.imaps_port,
            security: Security::Tls,
            ca_file: Some(self.ca_file.clone()),
        }
    }

    /// STARTTLS.
    pub fn starttls(&self) -> Endpoint {
        Endpoint {
            port: self.imap_port,
            security: Security::StartTls,
            ..self.imaps()
        }
    }

    /// No protection.
    pub fn plain(&self) -> Endpoint {
        Endpoint::plain(self.imap_port)
    }

    /// Users and passwords, as [`crate::kit::run::program::Program::config`] wants them.
    pub fn accounts(&self) -> Vec<(&str, &str)> {
        self.options
            .accounts
            .iter()
            .map(|(user, password)| (user.as_str(), password.as_str()))
            .collect()
    }

    /// Stops in good order; connections end with `* BYE`.
    pub fn stop(&mut self) {
        if let Some(process) = self.process.take() {
            process.stop();
        }
    }

    /// Starts on the same ports and the same mail, with `options` as they are now; stops first if need be.
    pub fn start_again(&mut self) {
        self.stop();
        if let Err(log) = self.launch() {
            panic!("dovecot does not start again:\n{log}");
        }
    }

    /// Runs `doveadm` on this server and returns what it prints; panics when it fails.
    pub fn doveadm(&self, arguments: &[&str]) -> String {
        let output = Command::new("doveadm")
            .arg("-c")
            .arg(self.dir.join("dovecot.conf"))
            .args(arguments)
            .output()
            .expect("doveadm is missing: apt-get install dovecot-imapd");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success(),
            "doveadm {arguments:?}: {errors}\n{}",
            self.log()
        );
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// What the server has logged so far.
    pub fn log(&self) -> String {
        let read = |name| fs::read_to_string(self.dir.join(name)).unwrap_or_default();
        read("console") + &read("log")
    }

    /// The user's home directory.
    pub fn home(&self, user: &str) -> PathBuf {
        let number = self
            .options
            .accounts
            .iter()
            .position(|(name, _)| name == user);
        let number = number.unwrap_or_else(|| panic!("{user} is no account of this server"));
        self.dir.join(format!("mail/{number}"))
    }

    /// What a panel needs to give this server a further account: its password file, where mail goes, whose it is.
    pub fn provisioning(&self) -> serde_json::Value {
        let (uid, gid) = mail_owner();
        serde_json::json!({
            "users": self.dir.join("users"),
            "mail": self.dir.join("mail"),
            "owner": format!("{uid}:{gid}"),
        })
    }

    /// Where the messages of a mailbox are: the directory that holds `cur` and `new`.
    pub fn maildir(&self, user: &str, mailbox: &str) -> PathBuf {
        let root = self.home(user).join("Maildir");
        if mailbox == "INBOX" {
            return root;
        }
        let name = mailbox.strip_prefix(self.options.prefix).unwrap_or(mailbox);
        let levels: Vec<String> = name.split(self.options.separator).map(utf7).collect();
        match self.options.layout {
            Layout::Maildir => root.join(levels.join("/")),
            Layout::MaildirPlusPlus => root.join(format!(".{}", levels.join("."))),
            Layout::Sdbox | Layout::Mdbox | Layout::Mbox => {
                panic!("no Maildir: seed it with Reader::append")
            }
        }
    }

    /// Puts mail straight into a Maildir, which is made if missing: a hundred times faster than APPEND.
    ///
    /// UIDs follow the order given. INTERNALDATE is the time of the mail, flags are its system flags.
    pub fn seed(&self, user: &str, mailbox: &str, mails: &[Mail]) {
        let dir = self.maildir(user, mailbox);
        for name in ["tmp", "new", "cur"] {
            fs::create_dir_all(dir.join(name)).expect("create the Maildir");
        }
        let before = fs::read_dir(dir.join("cur")).map_or(0, Iterator::count);
        for (index, mail) in mails.iter().enumerate() {
            let number = before + index;
            let letters = maildir_letters(&mail.flags);
            let name = format!("1700000000.M{number:08}P1.kit:2,{letters}");
            let path = dir.join("cur").join(name);
            fs::write(&path, &mail.bytes).expect("write a message");
            let time = std::time::UNIX_EPOCH + Duration::from_secs(mail.time);
            let file = fs::File::options().append(true).open(&path);
            file.and_then(|file| file.set_modified(time))
                .expect("set the time of a message");
        }
        give_to_server(&self.home(user));
    }

    /// Starts the process on the chosen ports; the error is the log.
    fn launch(&mut self) -> Result<(), String> {
        self.write_files();
        for log in ["console", "log"] {
            let _ = fs::remove_file(self.dir.join(log));
        }
        let config = self.dir.join("dovecot.conf").display().to_string();
        let console = self.dir.join("console");
        self.process = Some(Supervised::start(
            &["dovecot", "-F", "-c", &config],
            &console,
        ));
        let start = std::time::Instant::now();
        loop {
            if self.answers() {
                return Ok(());
            }
            let log = self.log();
            let failed = ["Fatal:", "Address already in use", "not found"];
            if failed.iter().any(|word| log.contains(word)) || start.elapsed() > PATIENCE {
                self.process = None;
                return Err(log);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Is it this very server that greets? The port may be another's by now.
    fn answers(&self) -> bool {
        let Ok(stream) = TcpStream::connect(("127.0.0.1", self.imap_port)) else {
            return false;
        };
        let mut greeting = String::new();
        let read = stream
            .set_read_timeout(Some(PATIENCE))
            .and_then(|()| BufReader::new(stream).read_line(&mut greeting));
        read.is_ok() && greeting.contains(&self.identity())
    }

    /// A word in the greeting that no other server has.
    fn identity(&self) -> String {
        let name = self.dir.path().file_name().expect("a name");
        name.to_string_lossy().into_owned()
    }

    fn write_files(&self) {
        let (uid, gid) = mail_owner();
        let mut users = String::new();
        for (number, (user, password)) in self.options.accounts.iter().enumerate() {
            let home = self.dir.join(format!("mail/{number}"));
            fs::create_dir_all(&home).expect("create a home directory");
            let password = hex(password.as_bytes());
            users += &format!(
                "{user}:{{PLAIN.HEX}}{password}:{uid}:{gid}::{}::\n",
                home.display()
            );
        }
        let masters = self.options.master.iter();
        let masters: String = masters
            .map(|(user, password)| format!("{user}:{{PLAIN.HEX}}{}\n", hex(password.as_bytes())))
            .collect();
        let write = |name: &str, text: &str| {
            fs::write(self.dir.join(name), text).expect("write a file of the server");
        };
        write("users", &users);
        write("masters", &masters);
        write("dovecot.conf", &config::render(self));
        give_to_server(&self.dir.join("mail"));
    }
}

impl Drop for Dovecot {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            let tail = &lines[lines.len().saturating_sub(20)..];
            eprintln!("the last that dovecot logged:\n{}", tail.join("\n"));
        }
    }
}

/// Hands over what a test wrote: as root the server reads mail as another user.
pub fn give_to_server(path: &Path) {
    let (uid, gid) = mail_owner();
    chown(path, Some(uid), Some(gid)).expect("give a path to the server's user");
    if path.is_dir() {
        for entry in fs::read_dir(path).expect("list a directory of mail") {
            give_to_server(&entry.expect("an entry").path());
        }
    }
}

/// Is this process root?
pub fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|me| me.uid() == 0)
}

/// Who reads the mail: `mail` (8) on Debian under root, else whoever runs the tests.
fn mail_owner() -> (u32, u32) {
    let me = fs::metadata("/proc/self").expect("/proc");
    if me.uid() == 0 {
        (8, 8)
    } else {
        (me.uid(), me.gid())
    }
}

fn maildir_letters(flags: &str) -> String {
    let mut letters: Vec<char> = flags
        .split_whitespace()
        .map(|flag| match flag {
            "\\Draft" => 'D',
            "\\Flagged" => 'F',
            "\\Answered" => 'R',
            "\\Seen" => 'S',
            "\\Deleted" => 'T',
            _ => panic!("{flag} does not fit a Maildir file name: use Reader::append"),
        })
        .collect();
    letters.sort_unstable();
    letters.into_iter().collect()
}
