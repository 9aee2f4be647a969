//! Why resources do not make a plan.

use std::net::SocketAddr;

use crate::resource::Protocol;

/// Why resources do not make a plan. Each message names the resource and the field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No such dataplane.
    #[error("no Dataplane `{name}` in the resources{}", advice(.near.as_deref()))]
    UnknownDataplane {
        /// The name asked for.
        name: String,
        /// A name that is like it.
        near: Option<String>,
    },
    /// Two meshes have a dataplane of this name.
    #[error("Dataplane `{name}` exists in the meshes `{first}` and `{second}`")]
    AmbiguousDataplane {
        /// The name asked for.
        name: String,
        /// A mesh.
        first: String,
        /// Another mesh.
        second: String,
    },
    /// The dataplane's mesh is not among the resources.
    #[error("Dataplane `{dataplane}` is in mesh `{mesh}`, which has no Mesh resource{}", advice(.near.as_deref()))]
    MissingMesh {
        /// The dataplane.
        dataplane: String,
        /// Its mesh.
        mesh: String,
        /// A mesh of a like name.
        near: Option<String>,
    },
    /// `mtls.enabledBackend` names none of the backends.
    #[error("Mesh `{mesh}`: mtls.enabledBackend is `{backend}`, and no backend has that name{}", advice(.near.as_deref()))]
    UnknownBackend {
        /// The mesh.
        mesh: String,
        /// The name given.
        backend: String,
        /// A backend of a like name.
        near: Option<String>,
    },
    /// An address that is not one.
    #[error("Dataplane `{dataplane}`: {field} is `{value}`, expected an IP address")]
    NotAnAddress {
        /// The dataplane.
        dataplane: String,
        /// The field.
        field: String,
        /// Its value.
        value: String,
    },
    /// Two listeners want one port.
    #[error("Dataplane `{dataplane}`: {first} and {second} both listen at {addr}")]
    PortClash {
        /// The dataplane.
        dataplane: String,
        /// A field.
        first: String,
        /// Another field.
        second: String,
        /// Where both listen.
        addr: SocketAddr,
    },
    /// The app's address is the listener's own.
    #[error(
        "Dataplane `{dataplane}`: {field}: serviceAddress and servicePort must differ from address and port, both are {addr}"
    )]
    ServiceIsListener {
        /// The dataplane.
        dataplane: String,
        /// The inbound.
        field: String,
        /// The address of both.
        addr: SocketAddr,
    },
    /// An inbound that names no service.
    #[error("Dataplane `{dataplane}`: {field} has no tag `kuma.io/service`")]
    InboundWithoutService {
        /// The dataplane.
        dataplane: String,
        /// The inbound.
        field: String,
    },
    /// An outbound that names no destination, or two.
    #[error(
        "Dataplane `{dataplane}`: {field} needs either the tag `kuma.io/service` or a backendRef with name and port"
    )]
    OutboundWithoutDestination {
        /// The dataplane.
        dataplane: String,
        /// The outbound.
        field: String,
    },
    /// An outbound to a kind of destination that this build cannot reach.
    #[error("Dataplane `{dataplane}`: {field}: backendRef of kind {kind} is not built yet, only MeshService")]
    BackendNotBuilt {
        /// The dataplane.
        dataplane: String,
        /// The outbound.
        field: String,
        /// The kind.
        kind: String,
    },
    /// A protocol that this build does not speak.
    #[error("Dataplane `{dataplane}`: {field}: protocol {protocol} is not built yet")]
    ProtocolNotBuilt {
        /// The dataplane.
        dataplane: String,
        /// The listener.
        field: String,
        /// The protocol.
        protocol: Protocol,
    },
    /// A mode of mTLS that this build does not do.
    #[error(
        "Mesh `{mesh}`: mtls mode PERMISSIVE of backend `{backend}` comes later, this build knows STRICT"
    )]
    PermissiveNotBuilt {
        /// The mesh.
        mesh: String,
        /// The backend.
        backend: String,
    },
    /// A part of a policy that this build does not understand.
    #[error("{policy}: {what}")]
    Policy {
        /// Kind and name of the policy.
        policy: String,
        /// What is wrong with it.
        what: String,
    },
}

fn advice(near: Option<&str>) -> String {
    near.map_or(String::new(), |near| format!(", did you mean `{near}`?"))
}
