//! Named random streams: each consumer draws from its own, so that adding or removing one shifts no other's draws.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

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
pub struct Draws(Arc<Mutex<(u64, VecDeque<Draw>)>>);

impl Draws {
    fn push(&self, stream: &Arc<str>, bound: u64, value: u64) {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let index = inner.0;
        inner.0 += 1;
        if inner.1.len() == REMEMBERED {
            inner.1.pop_front();
        }
        inner.1.push_back(Draw { index, stream: Arc::clone(stream), bound, value });
    }

    /// How many draws were made.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).0
    }

    /// The remembered ones.
    #[must_use]
    pub fn last(&self) -> Vec<Draw> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).1.iter().cloned().collect()
    }
}

/// A stream of numbers in integer arithmetic, the same on every machine.
#[derive(Debug)]
pub struct Random {
    name: Arc<str>,
    rng: ChaCha8Rng,
    draws: Draws,
}

impl Random {
    /// The stream `name` of the run with this seed.
    #[must_use]
    pub fn new(seed: u64, name: &str, draws: Draws) -> Self {
        Self { name: name.into(), rng: ChaCha8Rng::from_seed(stream_seed(seed, name)), draws }
    }

    /// A number from 0 to `bound` exclusive; 0 if `bound` is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        // Multiply-shift: the bias of at most `bound / 2^64` shifts no outcome anyone could see.
        let wide = u128::from(self.rng.next_u64()) * u128::from(bound);
        let value = u64::try_from(wide >> 64).unwrap_or(0);
        self.draws.push(&self.name, bound, value);
        value
    }

    /// True once in `n` times.
    pub fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}
