//! Named random streams: each consumer draws from its own, so that adding or removing one shifts no other's draws.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng as _, SeedableRng as _};
use sha2::{Digest as _, Sha256};

/// How many draws a run remembers for the report of a difference.
const REMEMBERED: usize = 4096;

/// The seed of one stream: a hash of the run's seed and the stream's name.
#[must_use]
pub fn stream_seed(seed: u64, name: &str) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(seed.to_le_bytes());
    hash.update(name.as_bytes());
    hash.finalize().into()
}

/// One draw, remembered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draw {
    /// How many draws the run had made before.
    pub index: u64,
    /// The stream.
    pub stream: Arc<str>,
    /// The bound.
    pub bound: u64,
    /// The value.
    pub value: u64,
}

/// The last draws of a run, oldest first.
#[derive(Debug, Clone, Default)]
pub struct Draws(Arc<Mutex<Memory>>);

/// What [`Draws`] remember. There is a draw or two for each packet: one is noted without its stream's name.
#[derive(Debug, Default)]
struct Memory {
    streams: Vec<Arc<str>>,
    count: u64,
    last: VecDeque<Noted>,
}

/// A draw as it is remembered.
#[derive(Debug)]
struct Noted {
    /// Index of the stream.
    stream: usize,
    bound: u64,
    value: u64,
}

impl Draws {
    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Names a stream; its draws are noted under the number returned.
    fn stream(&self, name: &str) -> usize {
        let mut memory = self.memory();
        memory.streams.push(name.into());
        memory.streams.len() - 1
    }

    fn push(&self, stream: usize, bound: u64, value: u64) {
        let mut memory = self.memory();
        memory.count += 1;
        if memory.last.len() == REMEMBERED {
            memory.last.pop_front();
        }
        memory.last.push_back(Noted { stream, bound, value });
    }

    /// How many draws were made.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.memory().count
    }

    /// The remembered ones.
    #[must_use]
    pub fn last(&self) -> Vec<Draw> {
        let memory = self.memory();
        let first = memory.count - memory.last.len() as u64;
        let draw = |(index, noted): (u64, &Noted)| Draw {
            index,
            stream: Arc::clone(&memory.streams[noted.stream]),
            bound: noted.bound,
            value: noted.value,
        };
        (first..).zip(&memory.last).map(draw).collect()
    }
}

/// A stream of numbers in integer arithmetic, the same on every machine.
#[derive(Debug)]
pub struct Random {
    /// Its number among [`Draws`].
    stream: usize,
    rng: ChaCha8Rng,
    draws: Draws,
}

impl Random {
    /// The stream `name` of the run with this seed.
    #[must_use]
    pub fn new(seed: u64, name: &str, draws: Draws) -> Self {
        let rng = ChaCha8Rng::from_seed(stream_seed(seed, name));
        Self { stream: draws.stream(name), rng, draws }
    }

    /// A number from 0 to `bound` exclusive; 0 if `bound` is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        // Multiply-shift: the bias of at most `bound / 2^64` shifts no outcome anyone could see.
        let wide = u128::from(self.rng.next_u64()) * u128::from(bound);
        let value = u64::try_from(wide >> 64).unwrap_or(0);
        self.draws.push(self.stream, bound, value);
        value
    }

    /// True once in `n` times.
    pub fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}
