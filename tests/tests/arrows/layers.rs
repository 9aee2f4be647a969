//! Modules that import each other, directly or in a circle.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::source::Use;

/// The circles among modules: each the shortest through its first module, as its paths; none is told twice.
pub(crate) fn circles(uses: &[Use]) -> Vec<Vec<&Use>> {
    let mut edges: BTreeMap<&str, BTreeMap<&str, &Use>> = BTreeMap::new();
    for found in uses {
        edges.entry(&found.from).or_default().entry(&found.to).or_insert(found);
    }
    let mut told: BTreeSet<BTreeSet<&str>> = BTreeSet::new();
    let mut circles = Vec::new();
    for module in edges.keys() {
        let Some(circle) = shortest(&edges, module) else { continue };
        if told.insert(circle.iter().map(|edge| edge.from.as_str()).collect()) {
            circles.push(circle);
        }
    }
    circles
}

/// The shortest way from a module back to it.
fn shortest<'a>(edges: &BTreeMap<&'a str, BTreeMap<&'a str, &'a Use>>, module: &str) -> Option<Vec<&'a Use>> {
    let mut ways: VecDeque<Vec<&Use>> = VecDeque::from([Vec::new()]);
    let mut seen = BTreeSet::new();
    while let Some(way) = ways.pop_front() {
        let here = way.last().map_or(module, |edge| edge.to.as_str());
        for (to, edge) in edges.get(here).into_iter().flatten() {
            let longer: Vec<_> = way.iter().copied().chain([*edge]).collect();
            if *to == module {
                return Some(longer);
            }
            if seen.insert(*to) {
                ways.push_back(longer);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::{Use, circles};

    fn told(edges: &[(&str, &str)]) -> Vec<String> {
        let edge = |(line, (from, to)): (usize, &(&str, &str))| Use {
            from: (*from).to_owned(),
            to: (*to).to_owned(),
            file: "x.rs".into(),
            line,
        };
        let uses: Vec<_> = edges.iter().enumerate().map(edge).collect();
        let names = |circle: Vec<&Use>| circle.iter().map(|edge| edge.from.as_str()).collect();
        circles(&uses).into_iter().map(names).collect()
    }

    #[test]
    fn circles_are_found_and_layers_are_not() {
        assert_eq!(told(&[("a", "b"), ("a", "c"), ("b", "c")]), Vec::<String>::new());
        assert_eq!(told(&[("a", "b"), ("b", "a"), ("c", "a")]), ["ab"]);
        assert_eq!(told(&[("a", "b"), ("b", "c"), ("c", "a"), ("c", "d"), ("d", "c")]), ["abc", "cd"]);
    }
}
