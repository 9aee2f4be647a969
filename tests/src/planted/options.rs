//! The command line.

use std::num::NonZeroUsize;
use std::time::Duration;

/// Plants bugs in copies of the project, and says which of them the suite does not notice.
#[derive(Debug, Clone, Default, clap::Parser)]
#[command(name = "planted", max_term_width = 100)]
pub struct Options {
    /// Names of patches, without `.patch`: `half_close_dropped`, `sim/clock` [default: all]
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
    /// All patches, which is the default
    #[arg(long, conflicts_with = "changed")]
    pub all: bool,
    /// Only those that were not proven as they are now (tests/planted/PROVEN)
    #[arg(long)]
    pub changed: bool,
    /// N more, drawn from those that `--changed` leaves out; without `--changed` only N
    #[arg(long, value_name = "N")]
    pub sample: Option<usize>,
    /// Which ones `--sample` draws
    #[arg(long, value_name = "S", default_value = "0")]
    pub seed: u64,
    /// Write what was proven to tests/planted/PROVEN
    #[arg(long)]
    pub record: bool,
    /// Run all scenarios with each bug, not only those it names, and list the other clauses it turns red
    #[arg(long)]
    pub whole: bool,
    /// Start no patch after so much time: 15m
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    pub limit: Option<Duration>,
    /// Jobs of cargo and of conform at once [default: theirs]
    #[arg(long, value_name = "N")]
    pub jobs: Option<NonZeroUsize>,
    /// Only list the patches that would be run, and what they must turn red
    #[arg(long)]
    pub list: bool,
}
