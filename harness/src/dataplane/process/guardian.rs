//! Ends what would outlive a harness that is killed: a shell waits at the end of a pipe until the harness is gone, however that came, then kills
//! the groups and removes the folders that were under its care.
//!
//! The kernel's own signal at a parent's death reaches the process that was started, not what that forked.

use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{ChildStdin, Command, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError};

use rustix::process::Pid;

/// Reads lines `+WHAT` and `-WHAT`; WHAT is a process group or the absolute path of a folder.
const SCRIPT: &str = r#"
trap '' HUP INT QUIT TERM
set -f
IFS='
'
all="$IFS"
while read -r line; do
    what="${line#?}"
    case "$line" in
        +*) all="$all$what$IFS" ;;
        -*) all="${all%%"$IFS$what$IFS"*}$IFS${all#*"$IFS$what$IFS"}" ;;
    esac
done
for what in $all; do case "$what" in [0-9]*) kill -s KILL -- "-$what" ;; esac; done
for what in $all; do case "$what" in /*) rm -rf -- "$what" ;; esac; done
"#;

/// Something under the guardian's care, until it is dropped.
#[derive(Debug)]
pub struct Ward(String);

impl Ward {
    /// A folder.
    #[must_use]
    pub fn folder(path: &Path) -> Self {
        Self::of(path.display().to_string())
    }

    /// A process group.
    pub(super) fn group(pid: Pid) -> Self {
        Self::of(pid.as_raw_nonzero().to_string())
    }

    fn of(what: String) -> Self {
        tell('+', &what);
        Self(what)
    }
}

impl Drop for Ward {
    fn drop(&mut self) {
        tell('-', &self.0);
    }
}

fn tell(sign: char, what: &str) {
    static GUARDIAN: OnceLock<Option<Mutex<ChildStdin>>> = OnceLock::new();
    // Where there is no shell, or it was killed, the kernel's signal must do.
    let Some(pipe) = GUARDIAN.get_or_init(|| start().map(Mutex::new)) else { return };
    let mut pipe = pipe.lock().unwrap_or_else(PoisonError::into_inner);
    let _ = pipe.write_all(format!("{sign}{what}\n").as_bytes());
}

/// It is never waited for: it ends after this process.
fn start() -> Option<ChildStdin> {
    let mut shell = Command::new("sh");
    shell.args(["-c", SCRIPT]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    // Not reached by what a terminal sends to this one's group.
    shell.process_group(0).current_dir("/").spawn().ok()?.stdin
}

#[cfg(test)]
mod tests {
    use std::process::Child;

    use super::*;

    fn guardian() -> Child {
        Command::new("sh").args(["-c", SCRIPT]).stdin(Stdio::piped()).spawn().unwrap()
    }

    #[test]
    fn what_is_left_under_its_care_goes_and_nothing_else() {
        let left = tempfile::tempdir().unwrap();
        let ended = tempfile::tempdir().unwrap();
        let mut group =
            Command::new("sh").args(["-c", "sleep 1000 & wait"]).process_group(0).spawn().unwrap();
        let mut other = Command::new("sleep").arg("1000").process_group(0).spawn().unwrap();
        let mut guardian = guardian();
        let mut pipe = guardian.stdin.take().unwrap();
        let (left_path, ended_path) = (left.path().display(), ended.path().display());
        let (pid, other_pid) = (group.id(), other.id());
        writeln!(pipe, "+{other_pid}\n+{ended_path}\n+{pid}\n+{left_path}\n-{ended_path}\n-{other_pid}\n-7")
            .unwrap();
        drop(pipe);
        assert!(guardian.wait().unwrap().success());
        assert!(!group.wait().unwrap().success(), "it was killed");
        assert_eq!((left.path().exists(), ended.path().exists()), (false, true));
        assert_eq!(other.try_wait().unwrap(), None, "it runs");
        other.kill().unwrap();
        other.wait().unwrap();
    }
}
