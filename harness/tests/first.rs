//! t
use std::path::Path;
use std::sync::Arc;
#[test]
fn t() {
    let all = harness::scenario::find(Path::new("../scenarios"), &[]).unwrap_or_else(|e| panic!("{e}"));
    let dict = harness::observe::dictionary::Dictionary::parse(
        &std::fs::read_to_string("../fixtures/dataplanes/reference/dictionary.yaml").unwrap(),
    )
    .unwrap();
    for s in all {
        let t = std::time::Instant::now();
        let c = harness::world::simulated::play(
            &s,
            Arc::new(harness::dataplane::reference::Reference),
            &Default::default(),
        );
        let el = t.elapsed();
        match c {
            Ok(c) => {
                let v = harness::verdict::judge(&c.run, &dict, &|_| None);
                println!("{} {:?} {:?} {} packets draws {}", s.name, v.verdict, el, c.hash.count, c.draws.0);
                for e in &v.expectations {
                    if !e.findings.is_empty() || v.verdict != harness::verdict::Verdict::Pass {
                        println!("   {:?}", e)
                    };
                }
                for e in &v.always {
                    if e.verdict != harness::verdict::Verdict::Pass {
                        println!("   {:?}", e)
                    };
                }
                if v.verdict != harness::verdict::Verdict::Pass {
                    for o in &c.run.observations {
                        println!("{:?}", o);
                    }
                    for s in &c.run.scrapes {
                        println!("{}", s.body.clone().unwrap_or_else(|e| e));
                    }
                    println!("{:?}", c.dataplane_panics);
                }
            }
            Err(e) => println!("{} ERR {e}", s.name),
        }
    }
}
