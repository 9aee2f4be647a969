//! Which version of a dataplane it is that is judged.

use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};

/// Longer than any program takes to say who it is.
const WITHIN: Duration = Duration::from_secs(10);

/// How a program is asked for its version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// Arguments that make it tell.
    pub args: Vec<String>,
    /// The version is the first number with dots after this text.
    pub after: Option<String>,
}

/// A version that is not known.
#[derive(Debug, thiserror::Error)]
pub enum NoVersion {
    /// The program does not run.
    #[error("asking for its version: `{command}`: {source}")]
    Run {
        /// How it was asked.
        command: String,
        /// Why.
        source: io::Error,
    },
    /// It goes on instead.
    #[error("asking for its version: `{command}` has not ended within {} s: does `version.args` make it serve?", within.as_secs_f64())]
    Endless {
        /// How it was asked.
        command: String,
        /// Its time.
        within: Duration,
    },
    /// What it says has no version in it.
    #[error("there is no version in what it says: {0:?}")]
    Unsaid(String),
}

impl Version {
    /// Asks the program: `1.40.0`.
    ///
    /// # Errors
    /// It does not run, does not end, or says nothing that looks like a version.
    pub fn ask(&self, program: &Path) -> Result<String, NoVersion> {
        let output = self.run(program, WITHIN)?;
        let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        let said = said.join("\n");
        self.within(&said).ok_or_else(|| NoVersion::Unsaid(said.chars().take(200).collect()))
    }

    /// Runs the program to its end, and kills it after a time.
    fn run(&self, program: &Path, within: Duration) -> Result<Output, NoVersion> {
        let words = std::iter::once(program.display().to_string()).chain(self.args.iter().cloned());
        let command = words.collect::<Vec<_>>().join(" ");
        let failed = |source| NoVersion::Run { command: command.clone(), source };
        let child = Command::new(program)
            .args(&self.args)
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(failed)?;
        let group = Pid::from_child(&child);
        let (done, output) = mpsc::sync_channel(1);
        let wait = thread::Builder::new().name("version".to_owned()).spawn(move || {
            // Nobody listens any more once the time is over.
            let _ = done.send(child.wait_with_output());
        });
        let outcome = wait.map(|_| output.recv_timeout(within));
        if !matches!(outcome, Ok(Ok(_))) {
            // It is not reaped before it has ended, so that the group is its own.
            let _ = kill_process_group(group, Signal::KILL);
        }
        match outcome.map_err(failed)? {
            Ok(output) => output.map_err(failed),
            Err(_) => Err(NoVersion::Endless { command, within }),
        }
    }

    fn within(&self, said: &str) -> Option<String> {
        let from = match &self.after {
            Some(after) => said.split_once(after.as_str())?.1,
            None => said,
        };
        let part = |c: char| c.is_ascii_digit() || c == '.';
        let words = from.split(|c: char| !part(c)).map(|word| word.trim_matches('.'));
        words.into_iter().find(|word| word.contains('.')).map(str::to_owned)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_serves_instead_is_ended_and_told_of() {
        let version = Version { args: vec!["-c".into(), "exec sleep 100".into()], after: None };
        let error = version.run(Path::new("sh"), Duration::from_millis(50)).unwrap_err().to_string();
        assert_eq!(
            error,
            "asking for its version: `sh -c exec sleep 100` has not ended within 0.05 s: does `version.args` make it serve?"
        );
        let missing = version.ask(Path::new("/no/such/program")).unwrap_err().to_string();
        assert!(
            missing.starts_with("asking for its version: `/no/such/program -c exec sleep 100`: "),
            "{missing}"
        );
        let told = Version { args: vec!["-c".into(), "echo x 1.2.3 >&2".into()], after: None };
        assert_eq!(told.ask(Path::new("sh")).unwrap(), "1.2.3");
    }

    #[test]
    fn versions_are_found_in_what_programs_say() {
        let find = |after: Option<&str>, said: &str| {
            Version { args: Vec::new(), after: after.map(str::to_owned) }.within(said)
        };
        let envoy = "\nenvoy  version: 9e558093d2f/1.40.0/Clean/RELEASE/BoringSSL\n";
        assert_eq!(find(None, envoy).as_deref(), Some("1.40.0"));
        assert_eq!(find(None, "nginx version: nginx/1.22.1").as_deref(), Some("1.22.1"));
        assert_eq!(find(None, "HAProxy version 2.6.12-1+deb12u1 2023/12/16").as_deref(), Some("2.6.12"));
        assert_eq!(find(Some("core "), "tool 9.9, core 1.2.").as_deref(), Some("1.2"));
        assert_eq!(find(None, "version 7"), None);
        assert_eq!(find(Some("x"), "1.2"), None);
    }
}
