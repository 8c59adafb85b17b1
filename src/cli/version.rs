//! Which program this is.

/// One line; with more of it, what it was built from and for.
#[must_use]
pub fn text(verbose: bool) -> String {
    let version = env!("CARGO_PKG_VERSION");
    let line = format!("imapsync-bulk-migrator {version}\n");
    if !verbose {
        return line;
    }
    // Whoever packages it says what it was built from; a build from a plain directory does not know.
    let commit = option_env!("IMAPSYNC_BULK_MIGRATOR_COMMIT").unwrap_or("not recorded");
    let (arch, system) = (std::env::consts::ARCH, std::env::consts::OS);
    let tls = openssl::version::version();
    let linked = if cfg!(feature = "vendored-tls") {
        "built in (vendored-tls)"
    } else {
        "the system's"
    };
    format!("{line}commit:   {commit}\ntarget:   {arch}-{system}\nTLS:      {tls}, {linked}\n")
}
