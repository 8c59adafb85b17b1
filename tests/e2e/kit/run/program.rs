//! Runs the real binary in a directory of its own and keeps what a failure message needs.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::archive::Archive;
use super::output::find_texts;
use super::tempdir::TempDir;
use crate::kit::servers::codec::base64;
use crate::kit::servers::tls::AUTHORITY;
use crate::kit::{Endpoint, Security, is_long};

pub use super::output::Output;

/// The binary under test.
pub const BINARY: &str = env!("CARGO_BIN_EXE_imapsync-bulk-migrator");

/// An export and nothing else: without the test before it and the audit behind it.
pub const EXPORT: [&str; 4] = [
    "--mode",
    "export",
    "--no-connectivity-test",
    "--no-audit-after-export",
];

/// An import and nothing else: without the test before it.
pub const IMPORT: [&str; 3] = ["--mode", "import", "--no-connectivity-test"];

/// A migration that asks nothing of imapsync and writes a report.
pub const MIGRATE: [&str; 6] = [
    "--mode",
    "migrate",
    "--imapsync",
    "never",
    "--report",
    "report.json",
];

/// A run that takes longer hangs.
fn limit() -> Duration {
    Duration::from_secs(if is_long() { 3000 } else { 300 })
}

/// A working directory and the command lines run in it. The directory stays when the test fails.
///
/// When it is dropped, no file that the program wrote, its streams among them, may hold a password that the test wrote
/// into a configuration or put into the environment.
pub struct Program {
    dir: TempDir,
    runs: AtomicU32,
    environment: Vec<(String, String)>,
    /// Passwords, plain and as AUTHENTICATE PLAIN sends them.
    secrets: Mutex<BTreeSet<String>>,
    /// What the test wrote itself.
    written: Mutex<BTreeSet<PathBuf>>,
}

/// Shorter passwords occur by chance.
const SHORTEST_SECRET: usize = 6;

impl Program {
    /// An empty working directory.
    pub fn new() -> Self {
        let program = Self {
            dir: TempDir::new().kept_on_panic(),
            runs: AtomicU32::new(0),
            environment: Vec::new(),
            secrets: Mutex::default(),
            written: Mutex::default(),
        };
        let work = program.dir.join("work");
        fs::create_dir(&work).expect("create the working directory");
        fs::set_permissions(&work, fs::Permissions::from_mode(0o700)).expect("set its mode");
        AUTHORITY.put_into(program.dir.path());
        program
    }

    /// Where the program runs.
    pub fn dir(&self) -> PathBuf {
        self.dir.join("work")
    }

    /// A path below the working directory.
    pub fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.dir().join(name)
    }

    /// Sets an environment variable for all runs from now on. Runs see no others than PATH, HOME, LANG,
    /// TERM and `SSL_CERT_FILE`.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        if name.contains("PASSWORD") {
            self.keep_secret(value);
        }
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Writes `export.pass.config.json` for this server and these users and passwords.
    pub fn config(&self, server: &Endpoint, accounts: &[(&str, &str)]) -> &Self {
        self.config_json(&config_of(server, accounts))
    }

    /// The same as `import.pass.config.json`.
    pub fn target_config(&self, server: &Endpoint, accounts: &[(&str, &str)]) -> &Self {
        let config = config_of(server, accounts).to_string();
        self.file("import.pass.config.json", &config)
    }

    /// Writes `export.pass.config.json` as given.
    pub fn config_json(&self, config: &Value) -> &Self {
        self.file("export.pass.config.json", &config.to_string())
    }

    /// Writes a file of mode 0600 below the working directory.
    pub fn file(&self, name: &str, text: &str) -> &Self {
        use std::io::Write;
        let file = File::options()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(self.path(name));
        file.and_then(|mut file| file.write_all(text.as_bytes()))
            .unwrap_or_else(|error| panic!("write {name}: {error}"));
        let mut written = self.written.lock().expect("no panic inside");
        written.insert(self.path(name));
        let config: Value = serde_json::from_str(text).unwrap_or_default();
        for account in config["accounts"].as_array().into_iter().flatten() {
            let login = account["login"].as_str().or(account["email"].as_str());
            if let (Some(login), Some(password)) = (login, account["password"].as_str()) {
                self.keep_secret(password);
                self.keep_secret(&base64(format!("\0{login}\0{password}").as_bytes()));
            }
        }
        self
    }

    /// Nothing that the program writes may hold these either: tokens, keys, assertions.
    pub fn keep_secrets<S: AsRef<str>>(&self, secrets: impl IntoIterator<Item = S>) -> &Self {
        for secret in secrets {
            self.keep_secret(secret.as_ref());
        }
        self
    }

    fn keep_secret(&self, secret: &str) {
        if secret.len() >= SHORTEST_SECRET {
            let mut secrets = self.secrets.lock().expect("no panic inside");
            secrets.insert(secret.to_owned());
        }
    }

    /// Runs to the end.
    pub fn run<I: AsRef<str>>(&self, arguments: impl IntoIterator<Item = I>) -> Output {
        self.spawn(arguments).wait()
    }

    /// An export and nothing else, with these arguments, to the end.
    pub fn export(&self, arguments: &[&str]) -> Output {
        self.spawn_export(arguments).wait()
    }

    /// The same, started.
    pub fn spawn_export(&self, arguments: &[&str]) -> Running {
        self.spawn(EXPORT.iter().chain(arguments))
    }

    /// `--mode migrate`, without imapsync, with a report in `report.json`, to the end.
    pub fn migrate(&self, arguments: &[&str]) -> Output {
        self.run(MIGRATE.iter().chain(arguments))
    }

    /// `--mode audit` of the archive alone, with these arguments, to the end.
    pub fn audit(&self, arguments: &[&str]) -> Output {
        self.run(
            ["--mode", "audit", "--audit-offline"]
                .iter()
                .chain(arguments),
        )
    }

    /// Starts and returns.
    pub fn spawn<I: AsRef<str>>(&self, arguments: impl IntoIterator<Item = I>) -> Running {
        self.spawn_under(&[], arguments)
    }

    /// Starts the binary by another command, for example `["prlimit", "--fsize=4096"]` or `["setpriv", …]`.
    pub fn spawn_under<I: AsRef<str>>(
        &self,
        wrapper: &[&str],
        arguments: impl IntoIterator<Item = I>,
    ) -> Running {
        let run = self.runs.fetch_add(1, Ordering::SeqCst);
        let stream = |name: &str| self.dir.join(format!("{name}.{run}"));
        let create = |path: &Path| File::create(path).expect("create a file for a stream");
        let (stdout, stderr) = (stream("stdout"), stream("stderr"));
        let words: Vec<String> = wrapper
            .iter()
            .map(|word| (*word).to_owned())
            .chain([BINARY.to_owned()])
            .chain(arguments.into_iter().map(|word| word.as_ref().to_owned()))
            .collect();
        let mut command = Command::new(&words[0]);
        command
            .args(&words[1..])
            .current_dir(self.dir())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.dir())
            .env("LANG", "C.UTF-8")
            .env("TERM", "dumb")
            .env("SSL_CERT_FILE", self.dir.join("authority.pem"))
            .envs(self.environment.iter().cloned())
            .stdin(Stdio::null())
            .stdout(create(&stdout))
            .stderr(create(&stderr));
        Running {
            child: command.spawn().expect("start the program"),
            words,
            dir: self.dir(),
            stdout,
            stderr,
        }
    }

    /// One account's part of the default output directory.
    pub fn archive(&self, user: &str) -> Archive {
        Archive::find(&self.path("exported"), user)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let secrets = self.secrets.get_mut().expect("no panic inside");
        let written = self.written.get_mut().expect("no panic inside");
        let texts: Vec<&[u8]> = secrets.iter().map(String::as_bytes).collect();
        let mut places = Vec::new();
        find_texts(self.dir.path(), &texts, &mut places);
        places.retain(|place| !written.contains(place));
        assert!(places.is_empty(), "a password is in {places:?}");
    }
}

/// A configuration of this server and these users and passwords.
pub fn config_of(server: &Endpoint, accounts: &[(&str, &str)]) -> Value {
    let accounts: Vec<Value> = accounts
        .iter()
        .map(|(email, password)| json!({"email": email, "password": password}))
        .collect();
    json!({"server": server_json(server), "accounts": accounts})
}

/// The `server` object of a config.
pub fn server_json(server: &Endpoint) -> Value {
    let mut value = json!({
        "host": server.host,
        "port": server.port,
        "ssl": server.security == Security::Tls,
        "starttls": server.security == Security::StartTls,
    });
    if let Some(ca_file) = &server.ca_file {
        value["ca_file"] = json!(ca_file);
    }
    value
}

/// What a process had at most, as often as somebody looked.
#[derive(Debug, Default)]
pub struct Usage {
    /// Memory that was resident, in bytes; the kernel keeps the peak.
    pub memory: u64,
    /// Threads.
    pub threads: usize,
    /// Open files, sockets among them.
    pub files: usize,
}

impl Usage {
    fn look(&mut self, process: u32) {
        let count = |what: &str| {
            let entries = fs::read_dir(format!("/proc/{process}/{what}"));
            entries.map_or(0, Iterator::count)
        };
        let threads = count("task");
        if threads < 2 {
            // It may not have got so far as to close what it inherited from us.
            return;
        }
        self.threads = self.threads.max(threads);
        self.files = self.files.max(count("fd"));
        let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kilobytes = peak.and_then(|text| text.trim().strip_suffix(" kB")?.parse::<u64>().ok());
        self.memory = self.memory.max(kilobytes.unwrap_or(0) * 1024);
    }
}

/// A run that has not been waited for; killed when dropped.
pub struct Running {
    child: Child,
    words: Vec<String>,
    dir: PathBuf,
    stdout: PathBuf,
    stderr: PathBuf,
}

impl Running {
    /// Waits for the end; panics, killing it, when it hangs.
    pub fn wait(mut self) -> Output {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("wait for the program") {
                return self.output(status);
            }
            if start.elapsed() > limit() {
                let status = self.kill();
                panic!("the program hangs\n{}", self.output(status).describe());
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Waits for the end, and says what the process had at most on the way.
    pub fn watch(mut self) -> (Output, Usage) {
        let mut usage = Usage::default();
        while self.is_running() {
            usage.look(self.id());
            std::thread::sleep(Duration::from_millis(10));
        }
        (self.wait(), usage)
    }

    /// `kill -9`, and the end of it.
    pub fn kill9(mut self) -> Output {
        let status = self.kill();
        self.output(status)
    }

    /// Sends a signal by name, for example `INT`.
    pub fn signal(&self, name: &str) -> &Self {
        let status = Command::new("sh")
            .args(["-c", "kill -s \"$1\" \"$2\"", "kill", name])
            .arg(self.child.id().to_string())
            .status();
        assert!(
            status.is_ok_and(|status| status.success()),
            "cannot send {name}"
        );
        self
    }

    /// Is it still at work?
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it has written to stderr so far.
    pub fn stderr(&self) -> String {
        read(&self.stderr)
    }

    fn kill(&mut self) -> ExitStatus {
        // It may be over already.
        let _ = self.child.kill();
        self.child.wait().expect("wait for the program")
    }

    fn output(&self, status: ExitStatus) -> Output {
        Output {
            status,
            stdout: read(&self.stdout),
            stderr: read(&self.stderr),
            words: self.words.clone(),
            dir: self.dir.clone(),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}

fn read(path: &Path) -> String {
    String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned()
}
