//! `conform`: judges dataplanes by scenario files.

use std::process::ExitCode;

fn main() -> ExitCode {
    harness::cli::main()
}
