//! Server processes that never outlive the test, however it ends. Knows no particular server.

use std::fs::File;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// The shell holds the other end of a pipe: when that closes, be it by drop, by panic or because the
/// test process was killed, the whole process group goes. A line on the pipe asks for an orderly end.
const KEEPER: &str = r#""$@" &
server=$!
if read -r _; then kill -TERM "$server"; wait "$server"; fi
kill -KILL -$$"#;

/// A server process with all its children.
#[derive(Debug)]
pub struct Supervised {
    keeper: Child,
}

impl Supervised {
    /// Starts `command`; what it prints goes to the file `console`.
    pub fn start(command: &[&str], console: &Path) -> Self {
        let output = File::create(console).expect("create the server's console file");
        let errors = output.try_clone().expect("share the console file");
        let keeper = Command::new("sh")
            .args(["-c", KEEPER, "keeper"])
            .args(command)
            .stdin(Stdio::piped())
            .stdout(output)
            .stderr(errors)
            .process_group(0)
            .spawn()
            .expect("start a shell");
        Self { keeper }
    }

    /// Asks for an orderly end and waits for it.
    pub fn stop(mut self) {
        if let Some(pipe) = &mut self.keeper.stdin {
            // A keeper that is gone has nothing left to stop.
            let _ = pipe.write_all(b"stop\n");
        }
        let _ = self.keeper.wait();
    }
}

impl Drop for Supervised {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
    }
}
