//! End-to-end tests: the real binaries, real processes, real servers and files.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on should panic where it stands"
)]

mod bad_input;
mod corpus;
mod definitions;
mod docker;
mod environments;
mod harness;
mod installed;
mod interruption;
mod keep_going;
mod lock;
mod mlflow;
mod output;
mod patience;
mod planning;
mod project_files;
mod readme;
mod redaction;
mod reliability;
mod running;
mod sources;
mod titanic;
mod tracking;
mod tracking_mlflow;
mod tracking_server;
mod venv;
