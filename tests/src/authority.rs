//! Certificates of an authority that exists for one test.

use std::path::PathBuf;

use payment_runs_node::TlsFiles;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tempfile::TempDir;

/// The name and the address that certificates of a test vouch for.
const NAMES: [&str; 2] = ["localhost", "127.0.0.1"];

/// An authority and a server's certificate from it, as files.
pub struct Authority {
    folder: TempDir,
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

impl Authority {
    /// Makes both.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority_key = KeyPair::generate().expect("a key");
        let authority = params.self_signed(&authority_key).expect("a certificate");
        let issuer = Issuer::new(params, authority_key);
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(NAMES.map(str::to_owned)).expect("names");
        let certificate = params.signed_by(&key, &issuer).expect("a certificate");
        let write =
            |name: &str, text: String| std::fs::write(folder.path().join(name), text).expect("a file");
        write("ca.pem", authority.pem());
        write("certificate.pem", certificate.pem());
        write("key.pem", key.serialize_pem());
        Self { folder }
    }

    /// The authority's certificate.
    pub fn ca_file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// The server's certificate and key.
    pub fn tls_files(&self) -> TlsFiles {
        let file = |name| self.folder.path().join(name);
        TlsFiles { certificate: file("certificate.pem"), key: file("key.pem") }
    }

    /// An HTTP client that trusts this authority and no other.
    pub fn http_client(&self) -> reqwest::Client {
        let pem = std::fs::read(self.ca_file()).expect("the file");
        let certificate = reqwest::Certificate::from_pem(&pem).expect("a certificate");
        crate::http_builder().tls_certs_only([certificate]).build().expect("an HTTP client")
    }
}
