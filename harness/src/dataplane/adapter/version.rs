//! Which version of a dataplane it is that is judged.

use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

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
    #[error("asking for its version: {0}")]
    Run(#[from] io::Error),
    /// What it says has no version in it.
    #[error("there is no version in what it says: {0:?}")]
    Unsaid(String),
}

impl Version {
    /// Asks the program: `1.40.0`.
    ///
    /// # Errors
    /// It does not run, or says nothing that looks like a version.
    pub fn ask(&self, program: &Path) -> Result<String, NoVersion> {
        let output = Command::new(program).args(&self.args).stdin(Stdio::null()).output()?;
        let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        let said = said.join("\n");
        self.within(&said).ok_or_else(|| NoVersion::Unsaid(said.chars().take(200).collect()))
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
    use super::Version;

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
