//! Starts one command and waits for its end. The only file that names duct.

use std::ffi::OsStr;
use std::io;
use std::path::Path;
use std::process::{ExitStatus, Output};

use duct::Expression;

/// Runs a command line by `bash -c` in a folder, as MLflow does: without `-e` and without `pipefail`.
///
/// The command has the caller's environment, and our standard input, output and error. Fails only
/// when the shell cannot be started; how the command ended is in the status.
pub(crate) fn run(command: &str, folder: &Path) -> io::Result<ExitStatus> {
    let shell = duct::cmd("bash", ["-c", command]).dir(folder);
    let output = without_cargo(shell).unchecked().run()?;
    Ok(output.status)
}

/// Runs a program to its end, without input, and keeps what it prints. It may not ask for a password.
pub(crate) fn capture(
    program: &str,
    arguments: &[&OsStr],
    folder: Option<&Path>,
) -> io::Result<Output> {
    let command = duct::cmd(program, arguments).env("GIT_TERMINAL_PROMPT", "0");
    let command = match folder {
        Some(folder) => command.dir(folder),
        None => command,
    };
    command
        .stdin_null()
        .stdout_capture()
        .stderr_capture()
        .unchecked()
        .run()
}

/// Takes out what `cargo run` says of the orchestrator itself.
///
/// It is not part of the caller's environment, and wrong for a step: build scripts look at these
/// variables, so a step that is built by cargo would be compiled anew with all that it depends on.
fn without_cargo(command: Expression) -> Expression {
    if std::env::var_os("CARGO_PKG_NAME").is_none_or(|name| name != env!("CARGO_PKG_NAME")) {
        return command;
    }
    let of_package =
        |name: &str| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_");
    std::env::vars_os()
        .filter(|(name, _)| name.to_str().is_some_and(of_package))
        .fold(command, |command, (name, _)| command.env_remove(name))
}
