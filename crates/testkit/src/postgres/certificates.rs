//! Certificates for a server that speaks TLS.

use std::path::PathBuf;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

use super::supervisor::{Supervisor, quoted};

/// Files that a client of the server may trust, in PEM.
#[derive(Debug, Clone)]
pub struct Certificates {
    /// The authority that signed the server's certificate, which is for `localhost` and nothing else:
    /// `verify-full` succeeds for `localhost` and fails for `127.0.0.1`.
    pub authority: PathBuf,
    /// An authority that did not.
    pub foreign_authority: PathBuf,
}

fn authority(name: &str) -> Result<CertifiedIssuer<'static, KeyPair>, rcgen::Error> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, name);
    CertifiedIssuer::self_signed(params, KeyPair::generate()?)
}

/// Makes the files in the supervisor's folder, and lets the server use them from its next start on.
pub(super) fn install(supervisor: &Supervisor) -> Result<Certificates, Box<dyn std::error::Error>> {
    let own = authority("the authority of the tests")?;
    let foreign = authority("another authority")?;
    let key = KeyPair::generate()?;
    let certificate =
        CertificateParams::new(vec!["localhost".to_owned()])?.signed_by(&key, &own)?;
    let certificate_file = supervisor.write_secret("server.pem", &certificate.pem())?;
    let key_file = supervisor.write_secret("server.key", &key.serialize_pem())?;
    supervisor.configure(&format!(
        "ssl = on\nssl_cert_file = {}\nssl_key_file = {}\n",
        quoted(&certificate_file),
        quoted(&key_file)
    ))?;
    Ok(Certificates {
        authority: supervisor.write_secret("authority.pem", &own.pem())?,
        foreign_authority: supervisor.write_secret("foreign-authority.pem", &foreign.pem())?,
    })
}
