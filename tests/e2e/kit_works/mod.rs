//! The test kit itself: a test is worth what its tools are worth. Knows nothing that only the product does.

mod in_process_servers;
mod real_servers;
mod runs_and_archives;
mod writing_server;

/// The user of a default Dovecot.
const ANNA: &str = "anna@example.com";
