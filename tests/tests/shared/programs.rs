//! Programs of this project that tests start.

use std::path::Path;
use std::process::Command;
use std::sync::Once;

/// Builds them as they are now: cargo builds only what a test's own package has.
pub(crate) fn build(root: &Path) {
    static BUILT: Once = Once::new();
    BUILT.call_once(|| {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--quiet", "--package", "reference-dp", "--bin", "reference-dp"]);
        if !cfg!(debug_assertions) {
            cargo.arg("--release");
        }
        let status = cargo.current_dir(root).status().unwrap_or_else(|error| panic!("{error}"));
        assert!(status.success(), "the reference dataplane does not build");
    });
}
