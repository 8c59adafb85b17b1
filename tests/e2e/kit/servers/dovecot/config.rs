//! The text of dovecot.conf, for Dovecot 2.3. Starts nothing.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::MetadataExt;

use super::{Dovecot, Layout, is_root};

/// The whole configuration.
pub fn render(dovecot: &Dovecot) -> String {
    let mut text = common(dovecot);
    text += &authentication(dovecot);
    text += &storage(dovecot);
    text += &services(dovecot);
    text += &dovecot.options.extra_config;
    text.push('\n');
    text
}

/// Extra configuration: so much storage for each account, told to clients (RFC 9208).
pub fn storage_quota(storage: &str) -> String {
    format!(
        "mail_plugins = quota\nprotocol imap {{\n mail_plugins = quota imap_quota\n}}\n\
         plugin {{\n quota = count:User quota\n quota_rule = *:storage={storage}\n quota_vsizes = yes\n}}\n"
    )
}

fn common(dovecot: &Dovecot) -> String {
    let dir = dovecot.dir.path().display();
    let (certificate, key) = (
        dovecot.certificates.certificate.display(),
        dovecot.certificates.key.display(),
    );
    let identity = dovecot.identity();
    format!(
        "base_dir = {dir}/run\n\
         state_dir = {dir}/state\n\
         log_path = {dir}/log\n\
         instance_name = {identity}\n\
         login_greeting = Dovecot {identity} ready.\n\
         protocols = imap\n\
         listen = 127.0.0.1\n\
         ssl = yes\n\
         ssl_cert = <{certificate}\n\
         ssl_key = <{key}\n"
    )
}

/// Any character in user names, their case kept; no waiting after failures.
fn authentication(dovecot: &Dovecot) -> String {
    let dir = dovecot.dir.path().display();
    let mut text = format!(
        "disable_plaintext_auth = no\n\
         auth_mechanisms = plain login\n\
         auth_username_chars =\n\
         auth_username_format = %u\n\
         auth_failure_delay = 0\n\
         auth_master_user_separator = *\n\
         first_valid_uid = 1\n\
         first_valid_gid = 1\n\
         passdb {{\n driver = passwd-file\n args = username_format=%u {dir}/users\n}}\n\
         userdb {{\n driver = passwd-file\n args = username_format=%u {dir}/users\n}}\n"
    );
    if dovecot.options.master.is_some() {
        write!(
            text,
            "passdb {{\n driver = passwd-file\n args = username_format=%u {dir}/masters\n master = yes\n}}\n"
        )
        .expect("a string takes everything");
    }
    text
}

fn storage(dovecot: &Dovecot) -> String {
    let options = &dovecot.options;
    let location = match options.layout {
        Layout::Maildir => "maildir:~/Maildir:LAYOUT=fs",
        Layout::MaildirPlusPlus => "maildir:~/Maildir",
        Layout::Sdbox => "sdbox:~/sdbox",
        Layout::Mdbox => "mdbox:~/mdbox",
        Layout::Mbox => "mbox:~/mail:INBOX=~/mail/inbox",
    };
    let special: String = if options.special_use {
        ["Drafts", "Sent", "Junk", "Trash", "Archive"]
            .map(|name| {
                format!(" mailbox {name} {{\n  special_use = \\{name}\n  auto = subscribe\n }}\n")
            })
            .concat()
    } else {
        String::new()
    };
    format!(
        "mail_location = {location}\n\
         mail_fsync = {}\n\
         protocol imap {{\n mail_max_userip_connections = {}\n}}\n\
         namespace inbox {{\n inbox = yes\n separator = {}\n prefix = {}\n{special}}}\n",
        options.mail_fsync, options.max_userip_connections, options.separator, options.prefix,
    )
}

/// Few login processes that serve many connections; the auth penalty is switched off by taking its socket away.
fn services(dovecot: &Dovecot) -> String {
    let (imap, imaps) = (dovecot.imap_port, dovecot.imaps_port);
    let user = if is_root() {
        String::new()
    } else {
        let me = fs::metadata("/proc/self").expect("/proc");
        let (uid, gid) = (name_of("passwd", me.uid()), name_of("group", me.gid()));
        format!(
            "default_internal_user = {uid}\ndefault_login_user = {uid}\ndefault_internal_group = {gid}\n\
             service anvil {{\n chroot =\n}}\nservice stats {{\n chroot =\n}}\nservice imap-login {{\n chroot =\n}}\n"
        )
    };
    format!(
        "service imap-login {{\n service_count = 0\n process_limit = 2\n client_limit = 1000\n\
         \x20inet_listener imap {{\n  port = {imap}\n }}\n\
         \x20inet_listener imaps {{\n  port = {imaps}\n  ssl = yes\n }}\n}}\n\
         service imap {{\n process_limit = 1000\n}}\n\
         service anvil {{\n client_limit = 3000\n unix_listener anvil-auth-penalty {{\n  mode = 0\n }}\n}}\n\
         service auth {{\n client_limit = 3000\n}}\n{user}"
    )
}

/// The name behind a numeric id in /etc/passwd or /etc/group.
fn name_of(table: &str, id: u32) -> String {
    let text = fs::read_to_string(format!("/etc/{table}")).unwrap_or_default();
    let id = id.to_string();
    let line = text
        .lines()
        .find(|line| line.split(':').nth(2) == Some(&id));
    line.and_then(|line| line.split(':').next())
        .map_or(id.clone(), str::to_owned)
}
