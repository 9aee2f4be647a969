//! The server names by which sidecars ask for services (Kuma's `pkg/xds/envoy/tls/sni.go`).

use std::collections::BTreeMap;

/// The tag that names a service.
const SERVICE: &str = "kuma.io/service";

/// `a<16 hex of FNV-1a-64 of "name;mesh;">.<name>.<port>.<mesh>.ms`, each name cut to the 63 characters of a DNS label.
#[must_use]
pub fn mesh_service_sni(name: &str, mesh: &str, port: u16) -> String {
    let hash = fnv1a_64(format!("{name};{mesh};").as_bytes());
    format!("a{hash:016x}.{}.{port}.{}.ms", label(name), label(mesh))
}

/// `SERVICE{mesh=MESH,TAG=VALUE}`, further tags in order. No DNS name, so that not every TLS library sends it.
#[must_use]
pub fn tag_sni(service: &str, mesh: &str, tags: &BTreeMap<String, String>) -> String {
    let further = tags.iter().filter(|(tag, _)| *tag != SERVICE);
    let further: String = further.map(|(tag, value)| format!(",{tag}={value}")).collect();
    format!("{service}{{mesh={mesh}{further}}}")
}

fn label(name: &str) -> &str {
    name.char_indices().nth(63).map_or(name, |(end, _)| &name[..end])
}

fn fnv1a_64(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hash_has_the_published_test_vectors() {
        // Vectors of the FNV authors.
        assert_eq!(fnv1a_64(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a_64(b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(fnv1a_64(b"foobar"), 0x8594_4171_f739_67e8);
    }

    #[test]
    fn server_names_by_tags_are_in_order() {
        let tags = [("version", "v1"), (SERVICE, "backend"), ("env", "a")];
        let tags = tags.into_iter().map(|(tag, value)| (tag.to_owned(), value.to_owned())).collect();
        assert_eq!(tag_sni("backend", "default", &tags), "backend{mesh=default,env=a,version=v1}");
        assert_eq!(tag_sni("backend", "default", &BTreeMap::new()), "backend{mesh=default}");
    }

    #[test]
    fn server_name_of_a_service() {
        // Computed with a separate program (Python).
        assert_eq!(mesh_service_sni("backend", "default", 8080), "a601e0c00295a9fbe.backend.8080.default.ms");
        let long = "x".repeat(70);
        let sni = mesh_service_sni(&long, "lab", 1);
        assert_eq!(sni, format!("aca54e8c8f2fdfea6.{}.1.lab.ms", "x".repeat(63)));
    }
}
