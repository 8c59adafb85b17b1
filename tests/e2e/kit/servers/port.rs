//! Free TCP ports on loopback for servers that cannot be asked to choose one. Knows no server.

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::sync::{LazyLock, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::kit::mail::Random;

/// Below the range that the kernel gives to outgoing connections, so a server that is stopped finds its port again.
const RANGE: std::ops::Range<u64> = 15_000..32_000;

struct Ports {
    random: Random,
    given: BTreeSet<u16>,
}

static PORTS: LazyLock<Mutex<Ports>> = LazyLock::new(|| {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let nanos = now.map_or(0, |now| u64::from(now.subsec_nanos()));
    Mutex::new(Ports {
        random: Random::new(nanos << 32 | u64::from(std::process::id())),
        given: BTreeSet::new(),
    })
});

/// A port that nobody listens on now and that this process has not been given before.
pub fn free() -> u16 {
    let mut ports = PORTS
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    loop {
        let port = u16::try_from(ports.random.between(RANGE.start, RANGE.end)).expect("a port");
        if TcpListener::bind(("127.0.0.1", port)).is_ok() && ports.given.insert(port) {
            return port;
        }
    }
}
