//! Which patches are run.

use sha2::{Digest, Sha256};

use super::options::Options;
use super::patch::{Patch, PatchError};

/// The patches that the options ask for, by name. `is_proven` tells which were proven as they are now.
///
/// # Errors
/// A name on the command line is not one of a patch.
pub fn select(
    patches: Vec<Patch>,
    options: &Options,
    is_proven: impl Fn(&Patch) -> bool,
) -> Result<Vec<Patch>, PatchError> {
    if let Some(name) = options.names.iter().find(|name| !patches.iter().any(|patch| patch.name == **name)) {
        return Err(PatchError::Unknown(name.clone()));
    }
    let named = |patch: &Patch| options.names.is_empty() || options.names.contains(&patch.name);
    let patches = patches.into_iter().filter(named);
    let (mut chosen, mut rest): (Vec<_>, Vec<_>) = if options.changed {
        patches.partition(|patch| !is_proven(patch))
    } else if options.sample.is_some() {
        (Vec::new(), patches.collect())
    } else {
        (patches.collect(), Vec::new())
    };
    // A draw that stays the same for those that are there when another one comes.
    rest.sort_by_cached_key(|patch| Sha256::digest(format!("{}/{}", options.seed, patch.name)));
    chosen.extend(rest.into_iter().take(options.sample.unwrap_or(0)));
    chosen.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(chosen)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::super::patch::Expects;
    use super::*;

    fn patches() -> Vec<Patch> {
        let patch = |name: char| Patch {
            name: name.to_string(),
            path: PathBuf::new(),
            text: String::new(),
            expects: Expects::Clauses(Vec::new()),
            touches: Vec::new(),
        };
        ('a'..='f').map(patch).collect()
    }

    fn names(options: &Options) -> String {
        let chosen = select(patches(), options, |patch| patch.name != "b");
        let chosen = chosen.unwrap_or_else(|error| panic!("{error}"));
        chosen.into_iter().map(|patch| patch.name).collect()
    }

    #[test]
    fn all_or_named_or_changed() {
        assert_eq!(names(&Options::default()), "abcdef");
        assert_eq!(names(&Options { names: vec!["d".into(), "a".into()], ..Options::default() }), "ad");
        assert_eq!(names(&Options { changed: true, ..Options::default() }), "b");
        let unknown = Options { names: vec!["z".into()], ..Options::default() };
        assert!(
            matches!(select(patches(), &unknown, |_| true), Err(PatchError::Unknown(name)) if name == "z")
        );
    }

    #[test]
    fn a_sample_is_drawn_by_its_seed_from_what_is_left_out() {
        let sample = |changed, seed| names(&Options { changed, seed, sample: Some(2), ..Options::default() });
        assert_eq!(sample(false, 1).len(), 2);
        assert_eq!(sample(true, 1).len(), 3);
        assert!(
            (0..20).all(|seed| sample(true, seed).contains('b') && sample(true, seed) == sample(true, seed))
        );
        for name in "acdef".chars() {
            assert!((0..50).any(|seed| sample(true, seed).contains(name)), "{name} is never drawn");
        }
    }
}
