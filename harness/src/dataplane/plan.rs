//! What one sidecar must do, worked out from Kuma's resources: the input of adapters, as JSON with a schema.
//!
//! The reference dataplane works it out, as Kuma's control plane does for Envoy. It says what a sidecar is told, never what is expected of it:
//! expectations come from the contract alone.

use std::net::SocketAddr;

use reference_dp::plan as worked_out;
use reference_dp::resource::{Resources, Source};
use serde_json::Value;

/// The plan of one sidecar.
#[derive(Debug, Clone)]
pub struct Plan(worked_out::Plan);

/// The resources say nothing that could be done, in the words of who read them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no plan for {dataplane}: {reason}")]
pub struct PlanError {
    /// Whose plan.
    pub dataplane: String,
    /// Why there is none.
    pub reason: String,
}

impl Plan {
    /// Works out the plan of `dataplane` from the resources of its mesh: (name for messages, YAML text).
    ///
    /// # Errors
    /// The resources are malformed, contradict themselves, or want what is not built yet.
    pub fn resolve(resources: &[(String, String)], dataplane: &str) -> Result<Self, PlanError> {
        let failed = |reason: String| PlanError { dataplane: dataplane.to_owned(), reason };
        let source = |(name, text): &(String, String)| Source { name: name.clone(), text: text.clone() };
        let sources: Vec<_> = resources.iter().map(source).collect();
        let resources = Resources::parse(&sources).map_err(|error| failed(error.to_string()))?;
        let plan = worked_out::Plan::resolve(&resources, dataplane);
        plan.map(Self).map_err(|error| failed(error.to_string()))
    }

    /// As adapters get it.
    #[must_use]
    pub fn json(&self) -> Value {
        // Neither keys that are no text nor numbers that JSON lacks are in a plan.
        serde_json::to_value(&self.0).unwrap_or_default()
    }

    /// The JSON Schema of [`Self::json`].
    #[must_use]
    pub fn schema() -> Value {
        worked_out::Plan::schema().to_value()
    }

    /// The mesh's name.
    #[must_use]
    pub fn mesh(&self) -> &str {
        &self.0.mesh
    }

    /// URIs of the sidecar's certificate; `None` if the mesh has no mTLS.
    #[must_use]
    pub fn identity(&self) -> Option<&[String]> {
        self.0.identity.as_deref()
    }

    /// Where the sidecar listens: inbounds, then outbounds.
    #[must_use]
    pub fn listeners(&self) -> Vec<SocketAddr> {
        let inbounds = self.0.inbounds.iter().map(|inbound| inbound.listen);
        inbounds.chain(self.0.outbounds.iter().map(|outbound| outbound.listen)).collect()
    }
}
