//! End-to-end tests: the real binary against real and scripted servers, one file per promise.
//!
//! What the servers hold and what lies on disk is read by code that is not the product's.

// Texts are built for a server's configuration or a failure message: clarity before allocations.
#![allow(clippy::format_push_string, clippy::format_collect)]

mod audit;
mod config;
mod connectivity;
mod examples;
mod export;
mod fire;
mod fleet;
mod import;
mod install;
mod kit;
mod kit_works;
mod panel;
mod report;
mod screen;
mod validate;
mod ways;
