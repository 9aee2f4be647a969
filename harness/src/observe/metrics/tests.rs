//! Texts from the format's documentation (prometheus.io, "Exposition formats"), and texts that it forbids.

use super::{Kind, Metrics, Problem};

/// The documentation's own example.
const EXAMPLE: &str = r#"# HELP http_requests_total The total number of HTTP requests.
# TYPE http_requests_total counter
http_requests_total{method="post",code="200"} 1027 1395066363000
http_requests_total{method="post",code="400"}    3 1395066363000

# TYPE msdos_file_access_time_seconds gauge
# Escaping in label values:
msdos_file_access_time_seconds{path="C:\\DIR\\FILE.TXT",error="Cannot find file:\n\"FILE.TXT\""} 1.458255915e9

# TYPE metric_without_timestamp_and_labels untyped
# Minimalistic line:
metric_without_timestamp_and_labels 12.47

# TYPE something_weird untyped
# A weird metric from before the epoch:
something_weird{problem="division by zero"} +Inf -3982045

# A histogram, which has a pretty complex representation in the text format:
# HELP http_request_duration_seconds A histogram of the request duration.
# TYPE http_request_duration_seconds histogram
http_request_duration_seconds_bucket{le="0.05"} 24054
http_request_duration_seconds_bucket{le="0.1"} 33444
http_request_duration_seconds_bucket{le="0.2"} 100392
http_request_duration_seconds_bucket{le="0.5"} 129389
http_request_duration_seconds_bucket{le="1"} 133988
http_request_duration_seconds_bucket{le="+Inf"} 144320
http_request_duration_seconds_sum 53423
http_request_duration_seconds_count 144320

# Finally a summary, which has a complex representation, too:
# HELP rpc_duration_seconds A summary of the RPC duration in seconds.
# TYPE rpc_duration_seconds summary
rpc_duration_seconds{quantile="0.01"} 3102
rpc_duration_seconds{quantile="0.05"} 3272
rpc_duration_seconds{quantile="0.5"} 4773
rpc_duration_seconds{quantile="0.9"} 9001
rpc_duration_seconds{quantile="0.99"} 76656
rpc_duration_seconds_sum 1.7560473e+07
rpc_duration_seconds_count 2693
"#;

#[test]
fn the_documentations_example_is_read() {
    let metrics = Metrics::parse(EXAMPLE).expect("valid");
    let kinds: Vec<_> = metrics.families.iter().map(|family| (family.kind, family.samples.len())).collect();
    assert_eq!(
        kinds,
        [
            (Kind::Counter, 2),
            (Kind::Gauge, 1),
            (Kind::Untyped, 1),
            (Kind::Untyped, 1),
            (Kind::Histogram, 8),
            (Kind::Summary, 7)
        ]
    );
    let requests = &metrics.families[0];
    assert_eq!(requests.help.as_deref(), Some("The total number of HTTP requests."));
    let labels: Vec<_> = requests.samples[0].labels.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    assert_eq!(labels, [("method", "post"), ("code", "200")]);
    assert_eq!((requests.samples[1].value, requests.samples[1].timestamp), (3.0, Some(1_395_066_363_000)));
    let path = &metrics.families[1].samples[0];
    assert_eq!(path.label("path"), Some("C:\\DIR\\FILE.TXT"));
    assert_eq!(path.label("error"), Some("Cannot find file:\n\"FILE.TXT\""));
    assert_eq!(metrics.families[3].samples[0].value, f64::INFINITY);
}

#[test]
fn unusual_but_allowed() {
    for text in [
        "",
        "\n\n",
        "# just a comment\n#\n",
        "# TYPE a counter\na{} 1\n",
        "# TYPE a counter\na{x=\"1\",} 1\n",
        "# TYPE a counter\n  a\t{ x = \"1\" , y=\"2\" }\t1e3  \n",
        "# TYPE a gauge\na NaN\n",
        "# TYPE a gauge\na -Inf\n",
        "#  TYPE  a:b_c9  gauge\na:b_c9 -0.5\n",
        "# TYPE a gauge\n# HELP a back\\\\slash\\nline \"quoted\"\na 1\n",
        "# TYPE a gauge\na{x=\"} 1 # ,\"} 1\n",
        "# TYPE a gauge\na{x=\"ends in a backslash\\\\\"} 1\n",
        "# HELP a only\n",
        "# TYPE a counter\n# TYPE a_count counter\na_count 1\n",
    ] {
        if let Err(error) = Metrics::parse(text) {
            panic!("{text:?}: {error}");
        }
    }
}

fn error(text: &str) -> (usize, Problem) {
    let error = Metrics::parse(text).expect_err(text);
    (error.line, error.problem)
}

#[test]
fn what_the_format_forbids_is_an_error_at_its_line() {
    use Problem as P;
    let name = |text: &str| text.to_owned();
    for (text, line, problem) in [
        ("# TYPE a gauge\na 1", 2, P::NoLineFeed),
        ("a 1\n", 1, P::Untyped(name("a"))),
        ("# HELP a text\na 1\n", 2, P::Untyped(name("a"))),
        ("# TYPE a gauge\nb 1\n", 2, P::Untyped(name("b"))),
        ("# TYPE a gauge\na 1\n# TYPE b gauge\nb 1\na{x=\"1\"} 2\n", 5, P::Interleaved(name("a"))),
        ("# TYPE a gauge\na 1\n# TYPE b gauge\nb 1\n# TYPE a gauge\n", 5, P::Interleaved(name("a"))),
        ("# TYPE a gauge\n# TYPE a gauge\n", 2, P::SecondType(name("a"))),
        ("# HELP a x\n# HELP a x\n", 2, P::SecondHelp(name("a"))),
        ("# TYPE a gauge\na 1\n# HELP a late\n", 3, P::Late(name("a"))),
        ("# TYPE a gauge\na 1\na 2\n", 3, P::Duplicate(name("a"))),
        ("# TYPE a gauge\na{x=\"1\",y=\"2\"} 1\na{y=\"2\",x=\"1\"} 1\n", 3, P::Duplicate(name("a"))),
        ("# TYPE a gauge\na{x=\"1\",x=\"2\"} 1\n", 2, P::LabelTwice(name("x"))),
        ("# TYPE a meter\n", 1, P::Type(name("meter"))),
        ("# TYPE a gauge extra\n", 1, P::Type(name("gauge extra"))),
        ("# TYPE 9a gauge\n", 1, P::MetricName(name("9a"))),
        ("# TYPE a gauge\na-b 1\n", 2, P::MetricName(name("a-b"))),
        ("# TYPE a gauge\na{x:y=\"1\"} 1\n", 2, P::LabelName(name("x:y"))),
        ("# TYPE a gauge\na{x=\"\\t\"} 1\n", 2, P::Escape('t')),
        ("# TYPE a gauge\na{x=1} 1\n", 2, P::Labels(name("x=1} 1"))),
        ("# TYPE a gauge\na{x=\"1\" y=\"2\"} 1\n", 2, P::Labels(name("y=\"2\"} 1"))),
        ("# TYPE a gauge\na{x=\"1\n", 2, P::Labels(name("x=\"1"))),
        ("# TYPE a gauge\na{,} 1\n", 2, P::Labels(name(",} 1"))),
        ("# TYPE a gauge\na\n", 2, P::Value(name(""))),
        ("# TYPE a gauge\na one\n", 2, P::Value(name("one"))),
        ("# TYPE a gauge\na 1 1.5\n", 2, P::Timestamp(name("1.5"))),
        ("# TYPE a gauge\na 1 2 3\n", 2, P::Rest(name("3"))),
        ("# TYPE a counter\na -1\n", 2, P::Negative(name("a"))),
        ("# TYPE a histogram\na 1\n", 2, P::Misfit(name("a"), Kind::Histogram)),
        ("# TYPE a counter\na_bucket{le=\"1\"} 1\n", 2, P::Untyped(name("a_bucket"))),
    ] {
        assert_eq!(error(text), (line, problem), "{text:?}");
    }
}

#[test]
fn histograms_must_add_up() {
    let full = ["a_bucket{le=\"1\"} 2", "a_bucket{le=\"+Inf\"} 3", "a_sum 4", "a_count 3"];
    let text = |lines: &[&str]| format!("\n# TYPE a histogram\n{}\n", lines.join("\n"));
    assert!(Metrics::parse(&text(&full)).is_ok());
    for (at, line, why) in [
        (0, "a_bucket{le=\"1\"} 4", "buckets are not cumulative"),
        (0, "a_bucket{le=\"x\"} 2", "`le` is no number"),
        (0, "a_bucket 2", "bucket without `le`"),
        (1, "a_bucket{le=\"0.5\"} 3", "bounds do not rise"),
        (1, "a_bucket{le=\"2\"} 3", "no bucket `+Inf`"),
        (2, "", "no sum"),
        (3, "", "no count"),
        (3, "a_count 2", "count differs from bucket `+Inf`"),
    ] {
        let mut lines = full;
        lines[at] = line;
        assert_eq!(error(&text(&lines)), (2, Problem::Histogram("a".to_owned(), why)));
    }
    assert_eq!(error(&text(&full[2..])), (2, Problem::Histogram("a".to_owned(), "no bucket")));
    // The error of a family in the middle is at that family's line, too.
    let two = format!("{}# TYPE b gauge\nb 1\n", text(&full[..3]));
    assert_eq!(error(&two).0, 2);
    // Each set of labels is a histogram of its own.
    let other = full.map(|line| match line.split_once('{') {
        Some((name, rest)) => format!("{name}{{x=\"1\",{rest}"),
        None => line.replacen(' ', "{x=\"1\"} ", 1),
    });
    let both: Vec<&str> = full.iter().copied().chain(other.iter().map(String::as_str)).collect();
    assert!(Metrics::parse(&text(&both)).is_ok());
}

#[test]
fn no_text_panics() {
    for end in (0..EXAMPLE.len()).filter(|end| EXAMPLE.is_char_boundary(*end)) {
        let _ = Metrics::parse(&EXAMPLE[..end]);
        let _ = Metrics::parse(&EXAMPLE[end..]);
        let mut bytes = EXAMPLE.as_bytes().to_vec();
        for byte in [b'{', b'"', b'\\', b'\n', b' ', b'#'] {
            bytes[end] = byte;
            let _ = Metrics::parse(&String::from_utf8_lossy(&bytes));
        }
    }
}
