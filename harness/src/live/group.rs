//! Which processes a sidecar consists of: a program may have workers, a driver runs another one. All of them are in the group of the first.

use std::fs;

/// Processes of these groups, as they are now.
pub(super) fn members(groups: &[u32]) -> Vec<u32> {
    if groups.is_empty() {
        return Vec::new();
    }
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let ids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    ids.filter(|id| group_of(*id).is_some_and(|group| groups.contains(&group))).collect()
}

/// The group of a process; `None` if it is gone.
fn group_of(process: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // State, parent and group follow the name, which stands in parentheses and may hold any character.
    stat.rsplit_once(')')?.1.split_whitespace().nth(2)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_in_its_group() {
        let own = std::process::id();
        let group = group_of(own).expect("this process is there");
        assert!(members(&[group]).contains(&own));
        assert!(!members(&[u32::MAX]).contains(&own));
        assert!(members(&[]).is_empty());
        assert_eq!(group_of(u32::MAX), None);
    }
}
