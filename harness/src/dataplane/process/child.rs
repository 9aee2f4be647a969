//! A child process that cannot outlive us: its own process group, killed with the thread that spawned it and by the guardian, reaped whatever
//! happens.

use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{self, ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::process::{
    Pid, PidfdFlags, WaitId, WaitIdOptions, kill_process, kill_process_group, pidfd_open, waitid,
};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::guardian::Ward;
use crate::dataplane::adapter::Signal;

/// Of util-linux: makes the kernel kill a process when its parent dies.
const SETPRIV: &str = "setpriv";
/// Where output goes, in the run's folder.
const STDOUT: &str = "stdout.log";
const STDERR: &str = "stderr.log";
/// Variable by which what it started is known as its own, wherever that went.
const MARK: &str = "CONFORM_SIDECAR";
/// How much of an output is shown.
const TAIL_BYTES: u64 = 4096;
const TAIL_LINES: usize = 20;

/// A command as it is run.
#[derive(Debug, Clone)]
pub(super) struct Rendered {
    pub(super) program: String,
    pub(super) args: Vec<String>,
    pub(super) env: Vec<(String, String)>,
}

/// A process that could not be started.
#[derive(Debug, thiserror::Error)]
pub enum SpawnError {
    /// Without this program, a harness that is killed would leave sidecars behind.
    #[error(
        "there is no program `{SETPRIV}` (package util-linux), which ends a sidecar when the harness is killed"
    )]
    NoSetpriv,
    /// The system refuses.
    #[error("starting {program}: {source}")]
    Spawn {
        /// The program.
        program: String,
        /// Why.
        source: io::Error,
    },
}

/// A running process, or one that has ended and was reaped.
///
/// The kernel kills it when the *thread* that spawned it ends: spawn from one that lasts as long as the run.
#[derive(Debug)]
pub(super) struct Child {
    dir: PathBuf,
    pid: Pid,
    /// Readable once the process has ended.
    end: AsyncFd<OwnedFd>,
    state: Mutex<State>,
    /// Let go of after the group has gone.
    _ward: Ward,
}

#[derive(Debug)]
enum State {
    Running(process::Child),
    Reaped(ExitStatus),
}

impl Child {
    /// Starts a program in `dir`, its output in files there. With `piped`, standard input and output are ours.
    pub(super) fn spawn(command: &Rendered, dir: &Path, piped: bool) -> Result<Self, SpawnError> {
        let failed = |source| SpawnError::Spawn { program: command.program.clone(), source };
        let output = |name: &str| File::create(dir.join(name)).map_err(failed);
        let (stdin, stdout) = match piped {
            true => (Stdio::piped(), Stdio::piped()),
            false => (Stdio::null(), output(STDOUT)?.into()),
        };
        let mut spawned = process::Command::new(SETPRIV)
            .args(["--pdeathsig", "KILL", "--", &command.program])
            .args(&command.args)
            .envs(command.env.iter().map(|(name, value)| (name, value)))
            .env(MARK, dir)
            .current_dir(dir)
            .process_group(0)
            .stdin(stdin)
            .stdout(stdout)
            .stderr(output(STDERR)?)
            .spawn()
            .map_err(|source| match source.kind() {
                io::ErrorKind::NotFound => SpawnError::NoSetpriv,
                _ => failed(source),
            })?;
        let pid = Pid::from_child(&spawned);
        match end_of(pid) {
            Ok(end) => Ok(Self {
                dir: dir.to_owned(),
                pid,
                end,
                state: Mutex::new(State::Running(spawned)),
                _ward: Ward::group(pid),
            }),
            Err(source) => {
                let _ = kill_process_group(pid, rustix::process::Signal::KILL);
                let _ = spawned.wait();
                Err(failed(source))
            }
        }
    }

    /// Its process id, which is its group's.
    pub(super) fn pid(&self) -> u32 {
        u32::try_from(self.pid.as_raw_nonzero().get()).unwrap_or(0)
    }

    /// Its standard input and output, once, if they are piped.
    pub(super) fn pipes(&self) -> Option<(process::ChildStdin, process::ChildStdout)> {
        match &mut *self.state() {
            State::Running(child) => child.stdin.take().zip(child.stdout.take()),
            State::Reaped(_) => None,
        }
    }

    /// Waits until it has ended. What it leaves of its group is killed.
    pub(super) async fn ended(&self) -> ExitStatus {
        // Only a runtime that is shut down cannot wait; then it is killed and waited for below.
        let _ = self.end.readable().await;
        self.kill()
    }

    /// Signals the process itself. One that has ended gets none.
    pub(super) fn signal(&self, signal: Signal) {
        if let State::Running(_) = &*self.state() {
            // It ended meanwhile and is not reaped yet: its id is still its own.
            let _ = kill_process(self.pid, number(signal));
        }
    }

    /// Kills what is left of its group, and reaps it: only until then is the group's id its own.
    pub(super) fn kill(&self) -> ExitStatus {
        let mut state = self.state();
        let status = match &mut *state {
            State::Reaped(status) => return *status,
            State::Running(child) => {
                let _ = kill_process_group(self.pid, rustix::process::Signal::KILL);
                // It was killed at the latest now. An error means that somebody else has reaped it.
                child.wait().unwrap_or_default()
            }
        };
        *state = State::Reaped(status);
        status
    }

    /// How it ended, if it has: nobody told it to. What it leaves of its group is killed.
    pub(super) fn has_ended(&self) -> Option<ExitStatus> {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        let has_ended = match &*self.state() {
            State::Reaped(_) => true,
            // Not reaped by that, so that the group's id stays its own.
            State::Running(_) => waitid(WaitId::Pid(self.pid), options).is_ok_and(|ended| ended.is_some()),
        };
        has_ended.then(|| self.kill())
    }

    /// Kills what it started and that left its group, as what goes to the background does; their ids.
    pub(super) fn kill_strays(&self) -> Vec<u32> {
        let mark = [format!("{MARK}=").as_bytes(), self.dir.as_os_str().as_bytes()].concat();
        let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
        let ids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        let bears = |id: &u32| {
            let variables = fs::read(format!("/proc/{id}/environ")).unwrap_or_default();
            variables.split(|byte| *byte == 0).any(|variable| variable == mark)
        };
        let strays: Vec<u32> = ids.filter(bears).collect();
        for stray in strays.iter().filter_map(|id| Pid::from_raw(i32::try_from(*id).ok()?)) {
            let _ = kill_process(stray, rustix::process::Signal::KILL);
        }
        strays
    }

    /// Whether its output has a line with this text.
    pub(super) fn said(&self, text: &str) -> bool {
        [STDOUT, STDERR].iter().any(|name| {
            let read = fs::read(self.dir.join(name)).unwrap_or_default();
            String::from_utf8_lossy(&read).lines().any(|line| line.contains(text))
        })
    }

    /// The last lines of its output, for reports.
    pub(super) fn tail(&self) -> String {
        let of = |name: &str| {
            let lines = last(&self.dir.join(name)).unwrap_or_default();
            (!lines.is_empty()).then(|| format!("{name}:\n{lines}"))
        };
        let told: Vec<_> = [STDERR, STDOUT].into_iter().filter_map(of).collect();
        if told.is_empty() { "it wrote nothing".to_owned() } else { told.join("\n") }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.kill();
    }
}

/// What becomes readable when a process ends.
#[expect(
    deprecated,
    reason = "its successor is unsafe for types that may give up their descriptor, which OwnedFd never does"
)]
fn end_of(pid: Pid) -> io::Result<AsyncFd<OwnedFd>> {
    AsyncFd::with_interest(pidfd_open(pid, PidfdFlags::NONBLOCK)?, Interest::READABLE)
}

fn last(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))?;
    let mut bytes = Vec::new();
    file.take(TAIL_BYTES).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<_> = text.lines().collect();
    Ok(lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n"))
}

/// A signal by the system's name.
pub(super) fn number(signal: Signal) -> rustix::process::Signal {
    use rustix::process::Signal as Number;
    match signal {
        Signal::Term => Number::TERM,
        Signal::Int => Number::INT,
        Signal::Quit => Number::QUIT,
        Signal::Hup => Number::HUP,
        Signal::Usr1 => Number::USR1,
        Signal::Usr2 => Number::USR2,
        Signal::Kill => Number::KILL,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, dir: &Path) -> Child {
        let args = vec!["-c".to_owned(), script.to_owned()];
        let command = Rendered { program: "sh".to_owned(), args, env: Vec::new() };
        Child::spawn(&command, dir, false).unwrap()
    }

    fn exists(pid: u32) -> bool {
        Path::new(&format!("/proc/{pid}")).exists()
    }

    #[tokio::test]
    async fn an_end_is_noticed_and_output_kept() {
        let dir = tempfile::tempdir().unwrap();
        let child = shell("echo out; echo err >&2; exit 3", dir.path());
        assert_eq!(child.ended().await.code(), Some(3));
        assert_eq!(child.tail(), "stderr.log:\nerr\nstdout.log:\nout");
        assert!(child.said("out") && child.said("err") && !child.said("other"));
        assert!(!exists(child.pid()));
    }

    #[tokio::test]
    async fn the_whole_group_goes_when_it_is_dropped() {
        let dir = tempfile::tempdir().unwrap();
        // Ignores what can be ignored, and has a child.
        let child = shell("trap '' TERM; sleep 1000 & echo $!; echo up >&2; wait", dir.path());
        while !child.said("up") {
            tokio::task::yield_now().await;
        }
        let grandchild: i32 = child.tail().lines().last().unwrap().parse().unwrap();
        let grandchild = end_of(Pid::from_raw(grandchild).unwrap()).unwrap();
        child.signal(Signal::Term);
        let pid = child.pid();
        assert!(exists(pid));
        drop(child);
        assert!(!exists(pid));
        // Whoever adopted it reaps it; that it ends is enough.
        grandchild.readable().await.map(|_| ()).unwrap();
    }

    #[tokio::test]
    async fn what_goes_to_the_background_is_found() {
        let dir = tempfile::tempdir().unwrap();
        // It is out of the group when it has written.
        let stray = "setsid sh -c 'echo up > up; exec sleep 1000' & until test -s up; do :; done; exit 0";
        let child = shell(stray, dir.path());
        assert!(child.ended().await.success());
        let strays = child.kill_strays();
        assert_eq!(strays.len(), 1);
        let stray = end_of(Pid::from_raw(i32::try_from(strays[0]).unwrap()).unwrap());
        // Whoever adopted it may have reaped it already.
        if let Ok(stray) = stray {
            stray.readable().await.map(|_| ()).unwrap();
        }
    }

    #[tokio::test]
    async fn an_end_that_nobody_asked_for_is_known() {
        let dir = tempfile::tempdir().unwrap();
        let child = shell("sleep 1000; exit 3", dir.path());
        assert_eq!(child.has_ended(), None);
        child.signal(Signal::Kill);
        child.end.readable().await.map(|_| ()).unwrap();
        assert!(!child.has_ended().unwrap().success());
    }

    #[tokio::test]
    async fn a_program_that_is_not_there_says_so() {
        let dir = tempfile::tempdir().unwrap();
        let command = Rendered { program: "/no/such/program".to_owned(), args: Vec::new(), env: Vec::new() };
        let child = Child::spawn(&command, dir.path(), false).unwrap();
        assert!(!child.ended().await.success());
        assert!(child.tail().contains("/no/such/program"), "{}", child.tail());
    }
}
