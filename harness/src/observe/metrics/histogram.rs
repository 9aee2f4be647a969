//! Whether a histogram adds up.

use super::{Family, Sample};

/// The samples of one histogram: those with equal labels, `le` aside.
struct Group<'a> {
    labels: Vec<&'a (String, String)>,
    /// Bound and cumulated count, in order.
    buckets: Vec<(f64, f64)>,
    sum: bool,
    count: Option<f64>,
}

/// Buckets are cumulative and in order, the last is `+Inf` and equals the count; sum and count are there.
pub(super) fn check(family: &Family) -> Result<(), &'static str> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    for sample in &family.samples {
        let labels = labels(sample);
        let at = groups.iter().position(|group| group.labels == labels);
        let at = at.unwrap_or_else(|| {
            groups.push(Group { labels, buckets: Vec::new(), sum: false, count: None });
            groups.len() - 1
        });
        let Some(group) = groups.get_mut(at) else { continue };
        match sample.name.strip_prefix(&family.name) {
            Some("_bucket") => group.buckets.push((bound(sample)?, sample.value)),
            Some("_sum") => group.sum = true,
            _ => group.count = Some(sample.value),
        }
    }
    groups.iter().try_for_each(adds_up)
}

fn labels(sample: &Sample) -> Vec<&(String, String)> {
    let mut labels: Vec<_> = sample.labels.iter().filter(|(name, _)| name != "le").collect();
    labels.sort();
    labels
}

fn bound(sample: &Sample) -> Result<f64, &'static str> {
    let le = sample.label("le").ok_or("bucket without `le`")?;
    let bound = le.parse::<f64>().map_err(|_| "`le` is no number")?;
    if bound.is_nan() { Err("`le` is no number") } else { Ok(bound) }
}

fn adds_up(group: &Group<'_>) -> Result<(), &'static str> {
    let pairs = || group.buckets.windows(2).map(|pair| (pair[0], pair[1]));
    if pairs().any(|((lower, _), (upper, _))| lower >= upper) {
        return Err("bounds do not rise");
    }
    if pairs().any(|((_, fewer), (_, more))| fewer > more) {
        return Err("buckets are not cumulative");
    }
    let Some((bound, all)) = group.buckets.last() else { return Err("no bucket") };
    if *bound != f64::INFINITY {
        return Err("no bucket `+Inf`");
    }
    match group.count {
        None => Err("no count"),
        Some(count) if count != *all => Err("count differs from bucket `+Inf`"),
        Some(_) if !group.sum => Err("no sum"),
        Some(_) => Ok(()),
    }
}
