//! The command line: `conform run | list | explain | coverage | check | plan | schema`.
//!
//! Exit codes: 0 all passed; 1 a dataplane failed; 2 bad usage or a bad scenario; 3 the harness broke.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod check;
mod coverage;
mod explain;
mod list;
mod plan;
mod play;
mod record;
mod run;
mod seeds;
mod select;

/// Everything asked for passed.
const OK: u8 = 0;
/// A dataplane failed, or a trace is not the one on record.
const FAILED: u8 = 1;
/// The words on the command line, or in a scenario, are wrong.
const BAD_INPUT: u8 = 2;
/// The harness could not do its work.
const BROKEN: u8 = 3;

/// Judges service-mesh dataplanes: runs scripted apps around them and checks what came of it, clause by clause.
#[derive(Debug, Parser)]
#[command(name = "conform", version, max_term_width = 100)]
struct Arguments {
    /// The project's folder, with `scenarios` and `fixtures` in it [default: the nearest one upwards]
    #[arg(long, global = true, value_name = "DIR")]
    root: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run scenarios against the reference dataplane in the simulator
    Run(run::Run),
    /// List cases: what each shows, and the clauses it names
    List(list::List),
    /// Explain clauses of the contract: what they say, why, what Envoy does, what proves them
    Explain(explain::Explain),
    /// Run cases, and show how much of the contract they prove
    Coverage(coverage::Coverage),
    /// Check scenario files without running them
    Check(check::Check),
    /// Print what an adapter is given for a sidecar: its plan, as JSON
    Plan(plan::PlanOf),
    /// Print the JSON Schema of scenario files, for editors
    Schema,
}

/// Runs the command line of this process.
#[must_use]
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let code = match root(arguments.root.as_deref()) {
        Ok(root) => match arguments.command {
            Command::Run(run) => run.main(&root),
            Command::List(list) => list.main(&root),
            Command::Explain(explain) => explain.main(&root),
            Command::Coverage(coverage) => coverage.main(&root),
            Command::Check(check) => check.main(&root),
            Command::Plan(plan) => plan.main(&root),
            Command::Schema => schema(),
        },
        Err(message) => complain(&message, BAD_INPUT),
    };
    ExitCode::from(code)
}

/// The project's folder: as given, or the nearest one upwards from here that has `scenarios` and `fixtures`.
fn root(given: Option<&Path>) -> Result<PathBuf, String> {
    let is_root = |folder: &Path| folder.join("scenarios").is_dir() && folder.join("fixtures").is_dir();
    if let Some(folder) = given {
        return if is_root(folder) {
            Ok(folder.to_owned())
        } else {
            Err(format!("{} has no folders `scenarios` and `fixtures`", folder.display()))
        };
    }
    let here = std::env::current_dir().map_err(|error| format!("this folder cannot be read: {error}"))?;
    if is_root(&here) {
        // Messages then name files as one would type them.
        return Ok(PathBuf::new());
    }
    let found = here.ancestors().find(|folder| is_root(folder)).map(Path::to_owned);
    found.ok_or_else(|| {
        "no folder from here upwards has `scenarios` and `fixtures`\nhelp: name the project with --root DIR".to_owned()
    })
}

fn schema() -> u8 {
    print(&format!("{:#}\n", crate::scenario::schema()))
}

/// Writes to standard output.
fn print(text: &str) -> u8 {
    match anstream::stdout().lock().write_all(text.as_bytes()) {
        Ok(()) => OK,
        Err(_) => BROKEN,
    }
}

/// Says on standard error what is wrong.
fn complain(message: &str, code: u8) -> u8 {
    let red = anstyle::Style::new().fg_color(Some(anstyle::AnsiColor::Red.into())).bold();
    // Without a standard error there is nobody to tell.
    let _ = writeln!(anstream::stderr().lock(), "{red}error{red:#}: {message}");
    code
}

/// Whether what is written to standard error is shown in colours.
fn colours() -> bool {
    anstream::AutoStream::choice(&std::io::stderr()) != anstream::ColorChoice::Never
}
