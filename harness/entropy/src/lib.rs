//! Takes the place of the two C functions through which chance and time enter a process: `getrandom` and `clock_gettime`.
//!
//! Between [`enter`] and the drop of its [`Guard`], a thread that asks for random bytes gets them from named, seeded streams, and a thread
//! that asks for the time gets virtual time. Every other thread gets the real thing. std's `RandomState`, `Instant` and `SystemTime`, and
//! the `rand`, `getrandom` (0.3 and later) and `uuid` crates all pass through these two symbols; getrandom 0.2 makes a raw system call and
//! does not. The crate must be linked into the executable: any use of it will do.

use std::cell::{Cell, RefCell};
use std::ffi::c_void;
use std::sync::OnceLock;
use std::time::Duration;

use libc::{c_int, c_uint, clockid_t, size_t, ssize_t, timespec};
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng as _, SeedableRng as _};

/// Virtual wall time at the start of every run: 2030-01-01T00:00:00Z, as seconds of the Unix epoch.
pub const EPOCH_SECONDS: u64 = 1_893_456_000;

/// Virtual monotonic time at the start of every run. Not zero, so that code may subtract from it.
const MONOTONIC_START: Duration = Duration::from_secs(1_000_000);

thread_local! {
    static ACTIVE: Cell<bool> = const { Cell::new(false) };
    static NOW_NANOS: Cell<u64> = const { Cell::new(0) };
    static CURRENT: Cell<usize> = const { Cell::new(0) };
    static STREAMS: RefCell<Vec<ChaCha8Rng>> = const { RefCell::new(Vec::new()) };
    static SYSTEM_DRAWS: Cell<u64> = const { Cell::new(0) };
    static CLOCK_READS: Cell<u64> = const { Cell::new(0) };
}

/// Ends the seeded regime of this thread when dropped.
#[derive(Debug)]
#[must_use = "chance and time are seeded only while the guard lives"]
pub struct Guard(());

/// A named stream of random bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stream(usize);

/// Makes chance and time of this thread depend on `seed` and [`set_now`] alone. The first stream is current.
///
/// # Panics
/// The thread is already in a run: a bug.
pub fn enter(seed: [u8; 32]) -> Guard {
    assert!(!ACTIVE.get(), "this thread is already in a run");
    STREAMS.with_borrow_mut(|streams| {
        streams.clear();
        streams.push(ChaCha8Rng::from_seed(seed));
    });
    CURRENT.set(0);
    NOW_NANOS.set(0);
    SYSTEM_DRAWS.set(0);
    CLOCK_READS.set(0);
    ACTIVE.set(true);
    Guard(())
}

impl Drop for Guard {
    fn drop(&mut self) {
        ACTIVE.set(false);
        STREAMS.with_borrow_mut(Vec::clear);
    }
}

/// Adds a stream with its own seed.
#[must_use]
pub fn add_stream(seed: [u8; 32]) -> Stream {
    STREAMS.with_borrow_mut(|streams| {
        streams.push(ChaCha8Rng::from_seed(seed));
        Stream(streams.len() - 1)
    })
}

/// The stream from which this thread draws from now on; returns the one before.
pub fn switch(stream: Stream) -> Stream {
    Stream(CURRENT.replace(stream.0))
}

/// Sets this thread's virtual time, in nanoseconds since the run's start.
pub fn set_now(nanos: u64) {
    NOW_NANOS.set(nanos);
}

/// Whether this thread is in a run.
#[must_use]
pub fn is_active() -> bool {
    ACTIVE.try_with(Cell::get).unwrap_or(false)
}

/// How often this run asked the C symbols for (random bytes, the time).
#[must_use]
pub fn uses() -> (u64, u64) {
    (SYSTEM_DRAWS.get(), CLOCK_READS.get())
}

/// Draws from the current stream.
///
/// # Panics
/// Outside a run: a bug, since the bytes would not be seeded.
pub fn fill(bytes: &mut [u8]) {
    assert!(draw(bytes), "seeded bytes were asked for outside a run");
}

/// Draws from the current stream if this thread is in a run.
fn draw(bytes: &mut [u8]) -> bool {
    if !is_active() {
        return false;
    }
    // `try_borrow_mut`: a draw from within a draw cannot happen, but a signal handler's must not abort.
    STREAMS
        .try_with(|streams| {
            let Ok(mut streams) = streams.try_borrow_mut() else { return false };
            let Some(stream) = streams.get_mut(CURRENT.get()) else { return false };
            stream.fill_bytes(bytes);
            true
        })
        .unwrap_or(false)
}

type GetRandom = unsafe extern "C" fn(*mut c_void, size_t, c_uint) -> ssize_t;
type ClockGetTime = unsafe extern "C" fn(clockid_t, *mut timespec) -> c_int;

/// The C library's own symbol, looked up once: a raw system call instead would cost 200 ns each.
fn real(name: &'static std::ffi::CStr, slot: &'static OnceLock<usize>) -> usize {
    *slot.get_or_init(|| {
        // SAFETY: the name is a valid C string, and RTLD_NEXT asks for the definition after this one.
        let address = unsafe { libc::dlsym(libc::RTLD_NEXT, name.as_ptr()) } as usize;
        assert!(address != 0, "the C library has no {name:?}");
        address
    })
}

/// Seeded bytes within a run, the kernel's outside.
///
/// # Safety
/// As the C library's `getrandom`: `buffer` is valid for `length` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn getrandom(buffer: *mut c_void, length: size_t, flags: c_uint) -> ssize_t {
    if is_active() && !buffer.is_null() && length > 0 {
        // SAFETY: the caller promises `length` writable bytes.
        let bytes = unsafe { std::slice::from_raw_parts_mut(buffer.cast::<u8>(), length) };
        if draw(bytes) {
            SYSTEM_DRAWS.set(SYSTEM_DRAWS.get() + 1);
            return ssize_t::try_from(length).unwrap_or(ssize_t::MAX);
        }
    }
    static REAL: OnceLock<usize> = OnceLock::new();
    // SAFETY: the symbol has this signature in every C library that has it.
    let real: GetRandom = unsafe { std::mem::transmute(real(c"getrandom", &REAL)) };
    // SAFETY: the arguments are the caller's.
    unsafe { real(buffer, length, flags) }
}

/// Virtual time within a run, the machine's outside.
///
/// # Safety
/// As the C library's `clock_gettime`: `time` is valid for writing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn clock_gettime(clock: clockid_t, time: *mut timespec) -> c_int {
    if is_active() && !time.is_null() {
        let base = match clock {
            libc::CLOCK_REALTIME | libc::CLOCK_REALTIME_COARSE => Some(Duration::from_secs(EPOCH_SECONDS)),
            libc::CLOCK_MONOTONIC
            | libc::CLOCK_MONOTONIC_RAW
            | libc::CLOCK_MONOTONIC_COARSE
            | libc::CLOCK_BOOTTIME => Some(MONOTONIC_START),
            // CPU time is for those who measure; it decides nothing in a run.
            _ => None,
        };
        if let Some(base) = base {
            CLOCK_READS.set(CLOCK_READS.get() + 1);
            let now = base + Duration::from_nanos(NOW_NANOS.get());
            let value = timespec {
                tv_sec: i64::try_from(now.as_secs()).unwrap_or(i64::MAX),
                tv_nsec: i64::from(now.subsec_nanos()),
            };
            // SAFETY: the caller promises a writable timespec.
            unsafe { time.write(value) };
            return 0;
        }
    }
    static REAL: OnceLock<usize> = OnceLock::new();
    // SAFETY: the symbol has this signature.
    let real: ClockGetTime = unsafe { std::mem::transmute(real(c"clock_gettime", &REAL)) };
    // SAFETY: the arguments are the caller's.
    unsafe { real(clock, time) }
}
