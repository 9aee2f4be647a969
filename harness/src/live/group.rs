//! Which processes a sidecar consists of: a program may have workers, a driver runs another one. All of them are in the group of the first.

use std::fs;

/// Processes of these groups, as they are now: (group, process). It looks at all of the machine: for what is asked once or twice a case.
pub(super) fn members(groups: &[u32]) -> Vec<(u32, u32)> {
    if groups.is_empty() {
        return Vec::new();
    }
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let ids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let with_group = ids.filter_map(|id| Some((group_of(id)?, id)));
    with_group.filter(|(group, _)| groups.contains(group)).collect()
}

/// These processes, and what they started, as far as its parents are still there: what works for a sidecar, for little.
pub(super) fn families(heads: Vec<u32>) -> Vec<u32> {
    let mut all = heads;
    let mut next = 0;
    while let Some(process) = all.get(next).copied() {
        next += 1;
        let tasks = fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
        for task in tasks {
            // Where the kernel was built without these files, the heads alone are looked at.
            let children = fs::read_to_string(task.path().join("children")).unwrap_or_default();
            all.extend(children.split_whitespace().filter_map(|child| child.parse::<u32>().ok()));
        }
    }
    all
}

/// The group of a process; `None` if it is gone.
fn group_of(process: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // State, parent and group follow the name, which stands in parentheses and may hold any character.
    stat.rsplit_once(')')?.1.split_whitespace().nth(2)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader};
    use std::os::unix::process::CommandExt as _;
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn workers_are_found_by_their_group_and_by_their_parent() {
        let mut first = Command::new("sh")
            .args(["-c", "sleep 1000 & echo $!; wait"])
            .process_group(0)
            .stdout(Stdio::piped())
            .spawn()
            .expect("a shell");
        let mut line = String::new();
        BufReader::new(first.stdout.take().expect("its output")).read_line(&mut line).expect("a line");
        let (head, worker) = (first.id(), line.trim().parse::<u32>().expect("a process id"));
        let mut members = members(&[head]);
        members.sort_unstable();
        let mut family = families(vec![head]);
        family.sort_unstable();
        let group = rustix::process::Pid::from_child(&first);
        rustix::process::kill_process_group(group, rustix::process::Signal::KILL).expect("it is there");
        first.wait().expect("its end");
        let mut both = vec![head, worker];
        both.sort_unstable();
        assert_eq!(members, both.iter().map(|process| (head, *process)).collect::<Vec<_>>());
        assert_eq!(family, both);
    }

    #[test]
    fn who_is_gone_has_neither() {
        assert!(members(&[u32::MAX]).is_empty());
        assert!(members(&[]).is_empty());
        assert_eq!(families(vec![u32::MAX]), [u32::MAX]);
        assert_eq!(group_of(u32::MAX), None);
    }
}
