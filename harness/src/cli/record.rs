//! Records of runs: a folder each, with what was seen and what crossed the links.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::observe::pcapng;
use crate::report::json;
use crate::suite::CaseResult;

/// Wall time of a run's start in its capture: 2030-01-01, as its apps and dataplanes see it.
const BASE: Duration = Duration::from_secs(entropy::EPOCH_SECONDS);

/// The folder of a case's record: its name with `/` as `.` and without what shells dislike.
#[must_use]
pub(super) fn folder(below: &Path, name: &str, seed: u64) -> PathBuf {
    let plain = |c: char| match c {
        '/' => '.',
        '[' | ',' => '+',
        ']' => ' ',
        other => other,
    };
    let name: String = name.chars().map(plain).filter(|c| *c != ' ').collect();
    below.join(format!("{name}-seed-{seed}"))
}

/// Writes `verdict.json`, `observations.jsonl` and `capture.pcapng` of a run.
pub(super) fn record(below: &Path, result: &CaseResult) -> io::Result<()> {
    let folder = folder(below, &result.verdict.name, result.seed);
    fs::create_dir_all(&folder)?;
    fs::write(folder.join("verdict.json"), json::case(result)?)?;
    let Some(case) = &result.case else { return Ok(()) };
    let mut observations = BufWriter::new(File::create(folder.join("observations.jsonl"))?);
    for observation in &case.run.observations {
        serde_json::to_writer(&mut observations, observation)?;
        observations.write_all(b"\n")?;
    }
    observations.flush()?;
    let mut capture = BufWriter::new(File::create(folder.join("capture.pcapng"))?);
    pcapng::write(&case.capture, BASE, &mut capture)?;
    capture.flush()
}
