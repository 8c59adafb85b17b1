//! A stand-in for imapsync: a script that notes how it was called and does what it is told.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use super::program::Program;

/// What the real one is asked for its version first; `--justconnect` then does `body`.
pub struct Imapsync {
    dir: PathBuf,
}

impl Imapsync {
    /// Puts it onto the program's `PATH`; `body` is shell.
    pub fn put(program: Program, body: &str) -> (Program, Self) {
        let dir = program.dir().with_file_name("imapsync");
        fs::create_dir(&dir).expect("create a directory");
        let noted = dir.display();
        let script = format!(
            "#!/bin/sh\n\
             if [ \"$1\" = --version ]; then echo 2.290; exit 0; fi\n\
             printf '%s\\n' \"$*\" >>{noted}/calls\n\
             cat /proc/$$/cmdline /proc/$$/environ >>{noted}/seen\n\
             {body}\n"
        );
        let path = dir.join("imapsync");
        fs::write(&path, script).expect("write the script");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("set its mode");
        let path = std::env::var("PATH").expect("PATH");
        let program = program.env("PATH", &format!("{}:{path}", dir.display()));
        (program, Self { dir })
    }

    /// Arguments of each `--justconnect`.
    pub fn calls(&self) -> Vec<String> {
        let text = fs::read_to_string(self.dir.join("calls")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// What `/proc` showed of it: arguments and environment.
    pub fn seen(&self) -> String {
        let bytes = fs::read(self.dir.join("seen")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// A path that the script may write to.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }
}
