//! Small cases, each with its own run, thread, certificates, checks and capture.

#[expect(dead_code, reason = "the crowd is measured by figures alone")]
mod shared;

use divan::Bencher;

fn main() {
    divan::main();
}

#[divan::bench]
fn idle_day(bencher: Bencher<'_, '_>) {
    measure(bencher, shared::IDLE);
}

#[divan::bench]
fn tls_in_mtls_echo(bencher: Bencher<'_, '_>) {
    measure(bencher, shared::TLS_ECHO);
}

#[divan::bench]
fn twenty_requests(bencher: Bencher<'_, '_>) {
    measure(bencher, shared::HTTP);
}

#[divan::bench(sample_count = 10)]
fn sixteen_mebibytes(bencher: Bencher<'_, '_>) {
    measure(bencher, shared::BULK);
}

fn measure(bencher: Bencher<'_, '_>, text: &str) {
    let (suite, case) = (shared::suite(), shared::case(text));
    bencher.bench(|| shared::play(&suite, &case, 0));
}
