//! Plants bugs in copies of the project, one at a time, and says which of them the suite does not notice.

use std::process::ExitCode;

fn main() -> ExitCode {
    tests::planted::main()
}
