//! From a result to a folder.

use std::fs::{self, File};
use std::io::{self, BufWriter, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;

use super::{
    CAPTURE, HEAD, Head, OBSERVATIONS, SCENARIO, SCRAPES, SIDECARS, SOCKETS, VERDICT, VERSION, WIRE, folder,
};
use crate::language::Scenario;
use crate::observe::{pcapng, wire};
use crate::report::json;
use crate::suite::{CaseResult, Suite};
use crate::world::simulated::Case;

/// Most of a sidecar's file that is kept: its end.
const FILE_BYTES_MAX: u64 = 4 << 20;

/// Wall time of a run's start in its capture: 2030-01-01, as its apps and dataplanes see it.
const BASE: Duration = Duration::from_secs(entropy::EPOCH_SECONDS);

/// Writes the record of a run into a folder of its own below `below`, over one of the same case, seed and target; returns the folder.
///
/// # Errors
/// Those of the file system.
pub fn write(below: &Path, suite: &Suite, scenario: &Scenario, result: &CaseResult) -> io::Result<PathBuf> {
    let folder = folder(below, &result.verdict.name, result.seed, &result.target);
    fs::create_dir_all(&folder)?;
    // Nothing of an older record may be taken for this one's.
    for file in [HEAD, OBSERVATIONS, WIRE, SCRAPES, SOCKETS, CAPTURE] {
        match fs::remove_file(folder.join(file)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    match fs::remove_dir_all(folder.join(SIDECARS)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    fs::write(folder.join(SCENARIO), scenario.source.as_bytes())?;
    fs::write(folder.join(VERDICT), json::case(result)?)?;
    if let Some(case) = &result.case {
        evidence(&folder, case)?;
    }
    if let Some(files) = &result.files {
        copy(files.path(), &folder.join(SIDECARS))?;
    }
    let head = Head {
        version: VERSION,
        harness: env!("CARGO_PKG_VERSION").to_owned(),
        case: result.verdict.name.clone(),
        file: scenario.file.clone(),
        seed: result.seed,
        target: (*result.target).clone(),
        unjudged: result.case.is_none().then(|| result.verdict.verdict.clone()),
        hash: result.case.as_ref().map(|case| case.hash.clone()),
        panics: result.case.as_ref().map(|case| case.dataplane_panics.clone()).unwrap_or_default(),
        declared: suite.declared.clone(),
        dictionaries: suite.dictionaries.clone(),
    };
    // The last: what has it is whole.
    json_file(&folder.join(HEAD), &head)?;
    Ok(folder)
}

/// Copies a folder, of large files the end, but for what is no file.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        let kind = entry.file_type()?;
        if kind.is_dir() {
            copy(&entry.path(), &to)?;
        } else if kind.is_file() {
            end_of(&entry.path(), &to)?;
        }
    }
    Ok(())
}

/// Copies a file; of a large one the end, which says what is missing.
fn end_of(from: &Path, to: &Path) -> io::Result<()> {
    let mut file = File::open(from)?;
    let skipped = file.metadata()?.len().saturating_sub(FILE_BYTES_MAX);
    let mut copy = File::create(to)?;
    if skipped > 0 {
        file.seek(SeekFrom::Start(skipped))?;
        writeln!(copy, "({skipped} bytes before this are left out)")?;
    }
    io::copy(&mut file.take(FILE_BYTES_MAX), &mut copy).map(|_| ())
}

/// What was seen, and what crossed the links.
fn evidence(folder: &Path, case: &Case) -> io::Result<()> {
    let mut observations = BufWriter::new(File::create(folder.join(OBSERVATIONS))?);
    for observation in &case.run.observations {
        serde_json::to_writer(&mut observations, observation)?;
        observations.write_all(b"\n")?;
    }
    observations.flush()?;
    if case.capture.packets.is_empty() {
        json_file(&folder.join(WIRE), &case.run.wire)?;
    } else {
        // All links: whoever changes an expectation of the record may look at another one.
        json_file(&folder.join(WIRE), &wire::read(&case.capture, |_| true))?;
    }
    json_file(&folder.join(SCRAPES), &case.run.scrapes)?;
    json_file(&folder.join(SOCKETS), &case.run.sockets)?;
    let mut capture = BufWriter::new(File::create(folder.join(CAPTURE))?);
    pcapng::write(&case.capture, BASE, &mut capture)?;
    capture.flush()
}

fn json_file(path: &Path, value: &impl Serialize) -> io::Result<()> {
    fs::write(path, serde_json::to_string_pretty(value)? + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_large_file_the_end_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("log"), folder.path().join("kept"));
        let kept = usize::try_from(FILE_BYTES_MAX).unwrap();
        fs::write(&from, ["x".repeat(3), "y".repeat(kept)].concat()).unwrap();
        end_of(&from, &to).unwrap();
        let text = fs::read_to_string(&to).unwrap();
        assert_eq!(text, format!("(3 bytes before this are left out)\n{}", "y".repeat(kept)));
        fs::write(&from, "short").unwrap();
        end_of(&from, &to).unwrap();
        assert_eq!(fs::read_to_string(&to).unwrap(), "short");
    }
}
