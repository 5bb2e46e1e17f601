//! The service that decides for proxies: behind a real nginx, and asked as Traefik and Caddy ask.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

#[path = "../support/mod.rs"]
mod support;

mod asking;
mod forwarded;
mod nginx;
mod service;
