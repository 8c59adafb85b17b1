//! A server of one connection that says what it is told to, whatever the client says.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener};
use std::time::Duration;

use imapsync_bulk_migrator::testing::Peer;
use imapsync_bulk_migrator::testing::Steps;
use imapsync_bulk_migrator::testing::Stop;
use imapsync_bulk_migrator::testing::Wire;
use imapsync_bulk_migrator::testing::{Auth, Server, TlsMode};

/// Calls `client` with a peer that sends `pieces`, each as it is written, and then closes.
pub fn with_peer<T>(pieces: &[&[u8]], client: impl FnOnce(&Peer) -> T) -> T {
    let listener = TcpListener::bind("127.0.0.1:0").expect("listen on loopback");
    let server = Server {
        name: None,
        host: "127.0.0.1".to_owned(),
        port: listener.local_addr().expect("an address").port(),
        tls: TlsMode::None,
        ca_file: None,
        insecure_tls: false,
        min_tls: None,
        limits: imapsync_bulk_migrator::testing::Limits::default(),
        auth: Auth::default(),
    };
    let peer = Peer::new(&server, Duration::from_secs(30)).expect("a peer");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let (mut stream, _) = listener.accept().expect("a client");
            stream.set_nodelay(true).expect("a socket");
            let mut heard = stream.try_clone().expect("a handle");
            // What the client says is read all the time, so that it never waits for us.
            let listener = std::thread::spawn(move || {
                let mut buffer = [0; 4096];
                while matches!(heard.read(&mut buffer), Ok(count) if count > 0) {}
            });
            for piece in pieces {
                if stream.write_all(piece).is_err() {
                    break;
                }
            }
            let _ = stream.shutdown(Shutdown::Write);
            listener.join().expect("no panic");
        });
        client(&peer)
    })
}

/// The same with a connection that is already made.
pub fn with_wire<T>(pieces: &[&[u8]], client: impl FnOnce(Wire) -> T) -> T {
    with_peer(pieces, |peer| {
        client(Wire::connect(peer, &Stop::new(), &mut Steps::default()).expect("a connection"))
    })
}
