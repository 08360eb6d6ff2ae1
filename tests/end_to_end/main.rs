//! End-to-end tests: the real binaries, real processes, real servers and files.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on should panic where it stands"
)]

mod bad_input;
mod by_main;
mod cached;
mod cached_edits;
mod completion;
mod console;
mod corpus;
mod definitions;
mod docker;
mod environment_inputs;
mod environment_making;
mod environment_trust;
mod environments;
mod example;
mod example_values;
mod follow;
mod harness;
mod help;
mod history;
mod init;
mod installed;
mod interruption;
mod keep_going;
mod lock;
mod looking;
mod mlflow;
mod only_main;
mod order;
mod output;
mod parallel;
mod patience;
mod picture;
mod planning;
mod project_files;
mod pseudo_terminal;
mod readme;
mod redaction;
mod reliability;
mod report;
mod running;
mod signals;
mod slurm;
mod slurm_losses;
mod slurm_stand_in;
mod source_trust;
mod sources;
mod stand_in;
mod starting;
mod surroundings;
mod terminal;
mod titanic;
mod tracking;
mod tracking_folder;
mod tracking_kills;
mod tracking_mlflow;
mod tracking_new_database;
mod tracking_server;
mod tracking_trust;
mod tracking_waits;
mod values;
mod venv;
