//! Whether two plays of a case are one and the same, and if not, where they part.
//!
//! * [`Trail`] — all that a play leaves, small enough to keep for each case and to hand to another process.
//! * [`compare`] — the first place of each kind at which two trails differ, in words.
//! * `words` — packets, draws and the rest as lines of text.

use std::fmt;

#[cfg(test)]
mod tests;
mod trail;
mod words;

pub use trail::{Draw, Packet, Trail};

/// Draws shown before the first that differs.
const DRAWS_BEFORE: usize = 5;

/// Two plays of a case that were to be the same and are not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The case.
    pub name: String,
    /// The seed.
    pub seed: u64,
    /// Where they part, at most one place of a kind: packets and draws first, as all others follow from these.
    pub places: Vec<Place>,
    /// What that tells of the cause.
    pub hint: Option<&'static str>,
}

/// Said of packets that differ though chance was the same.
const NO_CHANCE: &str = "all random draws are the same in both: the difference comes from elsewhere (order of tasks, hash maps, \
    addresses, real time, what an earlier run left)";

/// A place at which two plays differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// What differs: `packet 17`.
    pub what: String,
    /// What comes before it and is the same in both.
    pub before: Vec<String>,
    /// What the first has there.
    pub first: String,
    /// What the second has there.
    pub second: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} seed {}: two plays differ", self.name, self.seed)?;
        for place in &self.places {
            writeln!(f, "  {}", place.what)?;
            for line in &place.before {
                writeln!(f, "    both    {line}")?;
            }
            writeln!(f, "    first   {}", place.first)?;
            writeln!(f, "    second  {}", place.second)?;
        }
        match self.hint {
            Some(hint) => writeln!(f, "  note: {hint}"),
            None => Ok(()),
        }
    }
}

/// Where two plays of a case part; `None` if they are the same in all they left.
#[must_use]
pub fn compare(first: &Trail, second: &Trail) -> Option<Difference> {
    if first == second {
        return None;
    }
    let (packets, draws) = (packets(first, second), draws(first, second));
    let both_played = first.hash.is_some() && second.hash.is_some();
    let hint = (packets.is_some() && draws.is_none() && both_played).then_some(NO_CHANCE);
    let places = [
        packets,
        draws,
        observations(first, second),
        scrapes(first, second),
        sockets(first, second),
        verdicts(first, second),
    ];
    let mut places: Vec<_> = places.into_iter().flatten().collect();
    if places.is_empty() {
        places.push(Place::new("name or seed", words::who(first), words::who(second)));
    }
    Some(Difference { name: first.name.clone(), seed: first.seed, places, hint })
}

impl Place {
    fn new(what: impl Into<String>, first: String, second: String) -> Self {
        Self { what: what.into(), before: Vec::new(), first, second }
    }
}

fn packets(first: &Trail, second: &Trail) -> Option<Place> {
    if first.hash == second.hash && first.packets == second.packets {
        return None;
    }
    let Some((index, a, b)) = parting(&first.packets, &second.packets) else {
        // The digests see what was not kept: later packets, and payload beyond the capture's bound.
        let (a, b) = (words::hash(first), words::hash(second));
        return Some(Place::new(
            format!(
                "trace hash; the first {} packets are the same as far as they were kept",
                first.packets.len()
            ),
            a,
            b,
        ));
    };
    let what = match (a, b) {
        (Some(a), Some(b)) => format!("packet {index}, in its {}", a.differs_in(b).join(", ")),
        _ => format!("packet {index}, which only one has"),
    };
    let mut place = Place::new(what, words::packet(first, a), words::packet(second, b));
    place.before =
        index.checked_sub(1).map(|last| words::packet(first, first.packets.get(last))).into_iter().collect();
    Some(place)
}

fn draws(first: &Trail, second: &Trail) -> Option<Place> {
    // Only the last draws are remembered, and of a longer run later ones: compared is where both have memories.
    let from = |trail: &Trail| trail.draws.first().map_or(0, |draw| draw.index);
    let start = from(first).max(from(second));
    let since = |trail: &Trail| trail.draws.partition_point(|draw| draw.index < start);
    let (a, b) = (&first.draws[since(first)..], &second.draws[since(second)..]);
    if first.draw_count == second.draw_count && a == b {
        return None;
    }
    let (place, one, other) = parting(a, b)?;
    let what = match (place, start) {
        (0, 1..) => format!("random draw {start} or earlier: those before are not remembered"),
        _ => format!("random draw {}", start + place as u64),
    };
    let before = a[place.saturating_sub(DRAWS_BEFORE)..place].iter().map(|draw| words::draw(Some(draw)));
    Some(Place { before: before.collect(), ..Place::new(what, words::draw(one), words::draw(other)) })
}

fn observations(first: &Trail, second: &Trail) -> Option<Place> {
    let (index, a, b) = parting(&first.observations, &second.observations)?;
    Some(Place::new(format!("observation {index}"), words::json(a), words::json(b)))
}

fn scrapes(first: &Trail, second: &Trail) -> Option<Place> {
    let (index, a, b) = parting(&first.scrapes, &second.scrapes)?;
    let (text, other) = (words::scrape(a), words::scrape(b));
    let (line, one, two) = parting_line(&text, &other);
    Some(Place::new(format!("scrape {index}, line {line}"), one, two))
}

fn sockets(first: &Trail, second: &Trail) -> Option<Place> {
    let (index, a, b) = parting(&first.sockets, &second.sockets)?;
    Some(Place::new(format!("count of sockets {index}"), words::json(a), words::json(b)))
}

fn verdicts(first: &Trail, second: &Trail) -> Option<Place> {
    if first.verdict == second.verdict {
        return None;
    }
    let (line, one, two) = parting_line(&first.verdict, &second.verdict);
    Some(Place::new(format!("verdict, line {line} of its JSON"), one, two))
}

/// The first index at which two lists differ, and what each has there.
fn parting<'a, T: PartialEq>(
    first: &'a [T],
    second: &'a [T],
) -> Option<(usize, Option<&'a T>, Option<&'a T>)> {
    let longest = first.len().max(second.len());
    (0..longest)
        .map(|index| (index, first.get(index), second.get(index)))
        .find(|(_, one, other)| one != other)
}

/// The first line, from 1, at which two texts differ, and what each has there.
fn parting_line(first: &str, second: &str) -> (usize, String, String) {
    let (one, other): (Vec<_>, Vec<_>) = (first.lines().collect(), second.lines().collect());
    let words =
        |line: Option<&&str>| line.map_or_else(|| words::NOTHING.to_owned(), |line| line.trim().to_owned());
    match parting(&one, &other) {
        Some((index, a, b)) => (index + 1, words(a), words(b)),
        // They differ in how the last line ends.
        None => (one.len(), format!("{first:?}"), format!("{second:?}")),
    }
}
