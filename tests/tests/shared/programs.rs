//! Programs of this project that tests start.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Makes sure that the reference dataplane's program is that of the sources as they are. `cargo test` builds it; `cargo test -p tests` does not,
/// for cargo builds only the programs of the packages it tests.
pub(crate) fn check(program: &Path, root: &Path) {
    let built = changed(program);
    let sources = files(&root.join("reference-dp/src"));
    let newer = sources.iter().find(|source| changed(source) > built);
    if let Some(source) = newer {
        let (program, source) = (program.display(), source.display());
        panic!(
            "{program} is older than {source}: run `cargo build -p reference-dp --bins`, or all of `cargo test`"
        );
    }
}

fn changed(path: &Path) -> SystemTime {
    let changed = path.metadata().and_then(|meta| meta.modified());
    changed.unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let paths = entries.map(|entry| entry.unwrap_or_else(|error| panic!("{error}")).path());
    paths.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}
