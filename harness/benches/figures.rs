//! Whole-process figures: CPU time (user and system, all threads) a run, and the process's high-water mark of memory. Each case has a process of its
//! own, so that one's memory is not another's.

mod shared;

use std::env;
use std::fs;
use std::process::Command;

use rustix::time::{ClockId, clock_gettime};

/// Name, scenario, runs, promised milliseconds a run, promised MB.
const FIGURES: &[(&str, &str, u32, f64, Option<f64>)] = &[
    ("24 idle hours, 4 pods", shared::IDLE, 50, 10.0, None),
    ("TLS-in-mTLS echo, checks and capture", shared::TLS_ECHO, 200, 3.0, None),
    ("20 HTTP/1.1 requests, mTLS, checks and capture", shared::HTTP, 100, 5.0, None),
    ("16 MiB through passthrough", shared::BULK, 5, 400.0, None),
    ("1,000 mTLS connections x 10 round trips", shared::CROWD, 1, 4000.0, Some(200.0)),
];

#[expect(clippy::print_stdout, reason = "figures are what this program is for")]
fn main() {
    if let Some(index) = env::var("CONFORM_FIGURE").ok().and_then(|index| index.parse::<usize>().ok()) {
        let (_, text, runs, ..) = FIGURES[index];
        let (cpu_ms, peak_mb) = measure(text, runs);
        println!("{cpu_ms} {peak_mb}");
        return;
    }
    println!("{:<48} {:>10} {:>12} {:>10} {:>10}", "", "CPU ms", "promised", "peak MB", "promised");
    for (index, (name, _, _, promised_ms, promised_mb)) in FIGURES.iter().enumerate() {
        let child = Command::new(env::current_exe().expect("this program"))
            .env("CONFORM_FIGURE", index.to_string())
            .output()
            .expect("a child");
        assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stderr));
        let answer = String::from_utf8_lossy(&child.stdout).into_owned();
        let (cpu, peak) = answer.trim().split_once(' ').expect("two figures");
        let (cpu, peak): (f64, f64) = (cpu.parse().expect("a number"), peak.parse().expect("a number"));
        let promised_mb = promised_mb.map(|mb| format!("< {mb}")).unwrap_or_default();
        println!("{name:<48} {cpu:>10.2} {:>12} {peak:>10.1} {promised_mb:>10}", format!("< {promised_ms}"));
    }
}

/// CPU milliseconds a run, after one that warms caches; peak memory in MB of 10^6 bytes.
fn measure(text: &str, runs: u32) -> (f64, f64) {
    let (suite, case) = (shared::suite(), shared::case(text));
    if runs > 1 {
        shared::play(&suite, &case, 0);
    }
    let before = cpu_ms();
    for seed in 0..runs {
        shared::play(&suite, &case, u64::from(seed));
    }
    ((cpu_ms() - before) / f64::from(runs), peak_mb())
}

fn cpu_ms() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 * 1e3 + time.tv_nsec as f64 / 1e6
}

fn peak_mb() -> f64 {
    let status = fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a high-water mark");
    let kib: f64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
    kib * 1024.0 / 1e6
}
