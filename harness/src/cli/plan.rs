//! `conform plan`: what an adapter is given for a sidecar.

use std::path::Path;

use super::select::find;
use super::{BAD_INPUT, complain, print};
use crate::dataplane::plan::Plan;
use crate::kuma;
use crate::language::Scenario;
use crate::sim::topology::Topology;

/// Arguments of `conform plan`.
#[derive(Debug, clap::Args)]
pub(super) struct PlanOf {
    /// A scenario file, or the name of a case [default: the first case of the file]
    #[arg(value_name = "FILE|CASE", required_unless_present = "schema")]
    case: Option<String>,
    /// The pod whose sidecar it is
    #[arg(long, value_name = "NAME", required_unless_present = "schema")]
    pod: Option<String>,
    /// Print the JSON Schema of plans instead
    #[arg(long, conflicts_with_all = ["case", "pod"])]
    schema: bool,
}

impl PlanOf {
    pub(super) fn main(&self, root: &Path) -> u8 {
        match (&self.case, &self.pod) {
            (Some(case), Some(pod)) => {
                of(root, case, pod).map_or_else(|code| code, |plan| print(&format!("{:#}\n", plan.json())))
            }
            _ => print(&format!("{:#}\n", Plan::schema())),
        }
    }
}

/// The plan of a pod's sidecar, or the exit code after it was told why there is none.
fn of(root: &Path, wanted: &str, pod: &str) -> Result<Plan, u8> {
    let scenario = case(root, wanted)?;
    let topology = Topology::of(&scenario);
    let address = |pod: &str| topology.pod_address(pod).unwrap_or(std::net::Ipv4Addr::UNSPECIFIED);
    let resources = kuma::resources(&scenario, &kuma::View::usual(pod, &address));
    Plan::resolve(&resources, pod).map_err(|error| complain(&error.to_string(), BAD_INPUT))
}

/// The case of this name, else the first one of the file.
fn case(root: &Path, wanted: &str) -> Result<Scenario, u8> {
    let mut cases = find(&root.join("scenarios"), &[wanted.to_owned()])?;
    if let Some(at) = cases.iter().position(|case| case.name == wanted) {
        return Ok(cases.swap_remove(at));
    }
    let Some(first) = cases.first().map(|first| first.file.clone()) else {
        return Err(complain("no scenario's name or path matches what was asked for", BAD_INPUT));
    };
    if let Some(other) = cases.iter().find(|case| case.file != first) {
        let both = format!("`{wanted}` is in {} and in {}", first.display(), other.file.display());
        return Err(complain(&format!("{both}\nhelp: name one file or one case"), BAD_INPUT));
    }
    Ok(cases.swap_remove(0))
}
