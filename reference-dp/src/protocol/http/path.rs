//! Paths without dot segments, as Envoy's `normalize_path` makes them (kuma 2.3, seen 3).

use http::uri::PathAndQuery;

/// Takes out dot segments (RFC 3986 5.2.4), also those written `%2e`. Slashes are neither merged nor decoded, and a query stays as it is. `None`: the
/// path is fine, or no path (`*`).
pub(super) fn normalized(target: &PathAndQuery) -> Option<PathAndQuery> {
    let path = target.path();
    let rest = path.strip_prefix('/')?;
    let mut kept: Vec<&str> = Vec::new();
    let mut segments = rest.split('/').peekable();
    let mut changed = false;
    while let Some(segment) = segments.next() {
        let dots = dots(segment);
        if dots == 0 {
            kept.push(segment);
            continue;
        }
        changed = true;
        if dots == 2 {
            kept.pop();
        }
        // `/a/.` and `/a/b/..` both end in the folder itself.
        if segments.peek().is_none() {
            kept.push("");
        }
    }
    if !changed {
        return None;
    }
    let path = kept.join("/");
    let query = target.query().map_or_else(String::new, |query| format!("?{query}"));
    PathAndQuery::try_from(format!("/{path}{query}")).ok()
}

/// 1 for `.`, 2 for `..`, else 0.
fn dots(segment: &str) -> usize {
    let mut rest = segment;
    let mut dots = 0;
    while let Some(after) = rest.strip_prefix('.').or_else(|| encoded_dot(rest)) {
        (rest, dots) = (after, dots + 1);
    }
    if rest.is_empty() && dots <= 2 { dots } else { 0 }
}

fn encoded_dot(rest: &str) -> Option<&str> {
    rest.strip_prefix("%2e").or_else(|| rest.strip_prefix("%2E"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dot_segments_go_and_nothing_else_does() {
        for (path, expected) in [
            ("/", "/"),
            ("/a/b", "/a/b"),
            // As seen (section 3).
            ("/a//b/../c%2Fd", "/a//c%2Fd"),
            ("/a/./b", "/a/b"),
            ("/a/.", "/a/"),
            ("/a/..", "/"),
            ("/..", "/"),
            ("/../../a", "/a"),
            ("/a/b/c/../../d", "/a/d"),
            ("/a/%2e%2E/b", "/b"),
            ("/a/.%2e/b", "/b"),
            ("/a/...", "/a/..."),
            ("/a/.b/..c", "/a/.b/..c"),
            ("/a//../b", "/a/b"),
            ("/a/../b?x=/../y", "/b?x=/../y"),
            ("/a?x=/../y", "/a?x=/../y"),
        ] {
            let target = PathAndQuery::from_static(path);
            let normal = normalized(&target).unwrap_or(target);
            assert_eq!(normal.as_str(), expected, "{path}");
        }
    }

    #[test]
    fn what_is_no_path_stays() {
        assert_eq!(normalized(&PathAndQuery::from_static("*")), None);
    }
}
