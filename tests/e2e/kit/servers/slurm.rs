//! A real Slurm of one machine on loopback: accounts and keys of its own, gone when dropped. Needs root. Knows nothing
//! of the product.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use super::port;
use super::supervise::Supervised;
use crate::kit::run::tempdir::TempDir;
use crate::kit::wait_until;

const INSTALL: &str = "apt-get install slurmctld slurmd slurm-client munge";

/// A running Slurm.
pub struct Slurm {
    conf: PathBuf,
    // The processes go before their directory, the node before its controller.
    _node: Supervised,
    _controller: Supervised,
    _munge: Supervised,
    _dir: TempDir,
}

impl Slurm {
    /// Starts one and waits until it takes jobs.
    pub fn start() -> Self {
        let dir = TempDir::new();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755))
            .expect("open the directory");
        for name in ["munge", "state", "spool"] {
            fs::create_dir(dir.join(name)).expect("create");
        }
        let munge = start_munge(dir.path());
        let conf = dir.join("slurm.conf");
        fs::write(&conf, configuration(dir.path())).expect("write slurm.conf");
        let conf_text = conf.to_str().expect("UTF-8");
        let console = |name: &str| dir.join(format!("{name}.log"));
        let controller = Supervised::start(
            &["/usr/sbin/slurmctld", "-D", "-f", conf_text],
            &console("slurmctld"),
        );
        let node = Supervised::start(
            &["/usr/sbin/slurmd", "-D", "-f", conf_text, "-N", &host()],
            &console("slurmd"),
        );
        let slurm = Self {
            conf,
            _node: node,
            _controller: controller,
            _munge: munge,
            _dir: dir,
        };
        wait_until(&format!("Slurm takes jobs ({INSTALL})"), || {
            let output = slurm.run(Path::new("/"), "sinfo", &["-h", "-o", "%T"], "");
            String::from_utf8_lossy(&output.stdout).contains("idle")
        });
        slurm
    }

    /// One of Slurm's commands, with `bin` before the others in its PATH.
    pub fn run(&self, dir: &Path, program: &str, arguments: &[&str], bin: &str) -> Output {
        Command::new(program)
            .args(arguments)
            .current_dir(dir)
            .env_clear()
            .env("SLURM_CONF", &self.conf)
            .env("HOME", dir)
            .env("PATH", format!("{bin}:/usr/local/bin:/usr/bin:/bin"))
            .output()
            .unwrap_or_else(|error| panic!("{program} ({INSTALL}): {error}"))
    }
}

fn host() -> String {
    let output = Command::new("hostname")
        .arg("-s")
        .output()
        .expect("hostname");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn start_munge(dir: &Path) -> Supervised {
    let munge = dir.join("munge");
    let key = munge.join("key");
    let random = fs::read("/proc/sys/kernel/random/uuid").expect("random bytes");
    fs::write(&key, random.repeat(30)).expect("write the key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).expect("close the key");
    let owned = Command::new("chown")
        .args(["-R", "munge:"])
        .arg(&munge)
        .status();
    assert!(
        owned.is_ok_and(|status| status.success()),
        "chown to munge ({INSTALL})"
    );
    let option = |name: &str, file: &str| format!("--{name}={}", munge.join(file).display());
    let options = [
        option("socket", "sock"),
        option("key-file", "key"),
        option("pid-file", "pid"),
        option("log-file", "log"),
        option("seed-file", "seed"),
    ];
    let mut command = vec![
        "setpriv",
        "--reuid=munge",
        "--regid=munge",
        "--clear-groups",
        "munged",
        "--foreground",
    ];
    command.extend(options.iter().map(String::as_str));
    let process = Supervised::start(&command, &dir.join("munged.log"));
    wait_until("munged listens", || munge.join("sock").exists());
    process
}

fn configuration(dir: &Path) -> String {
    let host = host();
    let (dir, controller, node) = (dir.display(), port::free(), port::free());
    format!(
        "ClusterName=test\n\
         SlurmctldHost={host}(127.0.0.1)\n\
         AuthType=auth/munge\n\
         # What is requeued begins when credentials have expired: at once, not after two minutes.\n\
         AuthInfo=socket={dir}/munge/sock,cred_expire=5\n\
         SlurmUser=root\n\
         SlurmctldPort={controller}\n\
         SlurmdPort={node}\n\
         StateSaveLocation={dir}/state\n\
         SlurmdSpoolDir={dir}/spool\n\
         SlurmctldPidFile={dir}/slurmctld.pid\n\
         SlurmdPidFile={dir}/slurmd.pid\n\
         ProctrackType=proctrack/linuxproc\n\
         TaskPlugin=task/none\n\
         MpiDefault=none\n\
         SelectType=select/cons_tres\n\
         SlurmdParameters=config_overrides\n\
         ReturnToService=2\n\
         NodeName={host} NodeAddr=127.0.0.1 CPUs=4 RealMemory=8000 State=UNKNOWN\n\
         PartitionName=all Nodes={host} Default=YES MaxTime=INFINITE State=UP OverSubscribe=YES\n"
    )
}
