//! Servers: real ones, scripted ones, and what stands between one and its client.

pub mod codec;
pub mod control;
pub mod courier;
pub mod cyrus;
pub mod doorman;
pub mod dovecot;
pub mod fake;
pub mod idp;
pub mod listener;
pub mod panel;
pub mod port;
pub mod proxy;
pub mod pymap;
pub mod script;
pub mod slurm;
pub mod supervise;
pub mod tls;
pub mod wire;
