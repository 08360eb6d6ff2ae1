//! The program `orchestrator`; all of it is in the library of that name.

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().collect();
    orchestrator::main(&arguments)
}
