//! File systems of one test: small ones that fill up, and ones that lose power. Mounting needs root.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::python;

/// A small tmpfs; gone when dropped.
pub struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Creates the directory `path` and mounts on it.
    pub fn new(path: &Path, megabytes: u32) -> Self {
        Self::with(path, &format!("size={megabytes}m"))
    }

    /// The same with other options, for example `size=40k` or `nr_inodes=20`.
    pub fn with(path: &Path, options: &str) -> Self {
        fs::create_dir(path).expect("create the mount point");
        let options = format!("{options},mode=700");
        mount(&["-t", "tmpfs", "-o", &options, "small"], path);
        Self(path.to_path_buf())
    }

    /// As much room as anybody wants, space and inodes.
    pub fn grow(&self) {
        self.remount("size=64m,nr_inodes=100000");
    }

    /// No further page for anybody.
    pub fn fill(&self) {
        fill(&self.0);
    }

    /// With other options, for example `ro` or `size=50m`.
    pub fn remount(&self, options: &str) {
        mount(&["-o", &format!("remount,{options}")], &self.0);
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        unmount(&self.0);
    }
}

/// Writes a file beside the others until nothing more goes in.
pub fn fill(dir: &Path) {
    let mut filler = File::create(dir.join("filler")).expect("create the filler");
    for size in [1 << 20, 4096, 1] {
        while filler.write_all(&vec![0; size]).is_ok() {}
    }
}

/// How ext4 is mounted: what it may lose when the power goes.
pub const MOUNTS: [&str; 2] = [
    // As everybody has it: data is written before the names that lead to it, every 5 seconds.
    "loop",
    // The worst that POSIX allows: names without their data, nothing written unless asked for.
    "loop,data=writeback,noauto_da_alloc,commit=300",
];

/// An ext4 file system in a file, from which what was not synced can be taken away.
pub struct PowerDisk {
    image: PathBuf,
    path: PathBuf,
    options: &'static str,
    plug: Option<Child>,
}

/// Waits for a line, then stops all writing as of now (`EXT4_IOC_SHUTDOWN`, flag `NOLOGFLUSH`): what the kernel still
/// holds never reaches the image, and every access fails with EIO, as when the device is gone.
const PLUG: &str = "import fcntl, os, struct, sys
fd = os.open(sys.argv[1], os.O_RDONLY)
print('ready', flush=True)
if sys.stdin.readline():
    fcntl.ioctl(fd, 0x8004587D, struct.pack('I', 2))
    print('off', flush=True)
";

impl PowerDisk {
    /// Creates the directory `path` and mounts on it a new file system of 32 MB, kept in `image`.
    pub fn new(image: &Path, path: &Path, options: &'static str) -> Self {
        fs::create_dir(path).expect("create the mount point");
        let file = File::create(image).expect("create the image");
        file.set_len(32 << 20).expect("give the image its size");
        let status = Command::new("mkfs.ext4")
            .args(["-q", "-F"])
            .arg(image)
            .status();
        assert!(
            status.is_ok_and(|status| status.success()),
            "mkfs.ext4 fails: apt-get install e2fsprogs"
        );
        let mut disk = Self {
            image: image.to_path_buf(),
            path: path.to_path_buf(),
            options,
            plug: None,
        };
        disk.power_on();
        let _ = fs::remove_dir(path.join("lost+found"));
        let _ = Command::new("sync").arg("-f").arg(path).status();
        disk
    }

    /// Everything that was not synced is gone; from now on every access fails.
    pub fn power_off(&mut self) {
        let mut plug = self.plug.take().expect("the power is on");
        let mut stdin = plug.stdin.take().expect("a pipe");
        stdin.write_all(b"off\n").expect("ask for it");
        assert_eq!(line(&mut plug), "off");
        plug.wait().expect("wait for python3");
    }

    /// Mounts again what the image holds.
    pub fn restart(&mut self) {
        self.unplug();
        unmount(&self.path);
        self.power_on();
    }

    /// What the kernel does with a disk that has an error (`errors=remount-ro`): nothing is written any more, by anybody.
    pub fn becomes_read_only(&self) {
        let mounts = fs::read_to_string("/proc/mounts").expect("read the mounts");
        let path = self.path.display().to_string();
        let device = mounts.lines().find_map(|line| {
            let mut words = line.split(' ');
            let device = words.next().expect("a device");
            (words.next() == Some(&path)).then(|| device.replace("/dev/", ""))
        });
        let device = device.expect("it is mounted");
        let trigger = format!("/sys/fs/ext4/{device}/trigger_fs_error");
        fs::write(trigger, "for a test").expect("make an error in the file system");
    }

    fn power_on(&mut self) {
        let image = self.image.display().to_string();
        mount(&["-t", "ext4", "-o", self.options, &image], &self.path);
        let mut plug = python::command()
            .args(["-c", PLUG])
            .arg(&self.path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("start python3");
        assert_eq!(line(&mut plug), "ready");
        self.plug = Some(plug);
    }
}

impl PowerDisk {
    fn unplug(&mut self) {
        if let Some(mut plug) = self.plug.take() {
            drop(plug.stdin.take());
            let _ = plug.wait();
        }
    }
}

impl Drop for PowerDisk {
    fn drop(&mut self) {
        self.unplug();
        unmount(&self.path);
    }
}

/// A file whose bytes the disk does not give any more (EIO), until dropped.
pub struct FailingFile(PathBuf);

impl FailingFile {
    /// Puts the memory of this process in its place: a regular file that opens, and whose beginning cannot be read.
    pub fn new(path: &Path) -> Self {
        let memory = format!("/proc/{}/mem", std::process::id());
        mount(&["--bind", &memory], path);
        Self(path.to_path_buf())
    }
}

impl Drop for FailingFile {
    fn drop(&mut self) {
        unmount(&self.0);
    }
}

/// A file system, by FUSE, to which names are one that differ only in case or in their Unicode form, as on the disk of a
/// Mac. It notes what is fsynced.
pub struct FoldingDisk {
    path: PathBuf,
    log: PathBuf,
    server: Child,
}

impl FoldingDisk {
    /// Creates the directory `path` and mounts on it what is kept in `below`.
    pub fn new(path: &Path, below: &Path) -> Self {
        for dir in [path, below] {
            fs::create_dir(dir).expect("create a directory");
        }
        let log = below.with_extension("log");
        let mut server = python::command()
            .args(["-c", include_str!("fold.py")])
            .args([path, below, &log])
            .stdout(Stdio::piped())
            .spawn()
            .expect("start python3");
        assert_eq!(line(&mut server), "ready", "no FUSE: modprobe fuse");
        Self {
            path: path.to_path_buf(),
            log,
            server,
        }
    }

    /// What was fsynced, in order.
    pub fn synced(&self) -> Vec<String> {
        let log = fs::read_to_string(&self.log).expect("the log");
        let lines = log.lines().filter_map(|line| line.strip_prefix("fsync "));
        lines.map(str::to_owned).collect()
    }
}

impl Drop for FoldingDisk {
    fn drop(&mut self) {
        unmount(&self.path);
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

fn line(plug: &mut Child) -> String {
    let stdout = plug.stdout.as_mut().expect("a pipe");
    let mut line = String::new();
    let mut reader = BufReader::new(stdout);
    reader.read_line(&mut line).expect("read from python3");
    line.trim_end().to_owned()
}

fn mount(arguments: &[&str], path: &Path) {
    let status = Command::new("mount").args(arguments).arg(path).status();
    assert!(
        status.is_ok_and(|status| status.success()),
        "mount {arguments:?} fails: run the tests as root, in a container with --privileged"
    );
}

fn unmount(path: &Path) {
    let status = Command::new("umount").arg("-l").arg(path).status();
    if !std::thread::panicking() {
        assert!(status.is_ok_and(|status| status.success()), "umount fails");
    }
}
