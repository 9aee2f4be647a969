//! `conform`: judges dataplanes by scenario files.

use std::process::ExitCode;

/// Each run is a thread of its own with some ten thousand small allocations.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    harness::cli::main()
}
