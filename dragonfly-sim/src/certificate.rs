//! A certificate authority made at start, and the server certificate it signs.
//!
//! Nothing is written to disk and no key leaves the process: a client trusts the simulator by
//! being given the authority's PEM text, as it would be given a private authority's.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::{
    ServerConfig,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
};

use crate::SimError;

/// The authority's PEM text and the server side of TLS.
pub(crate) struct Authority {
    pub(crate) pem: String,
    pub(crate) server: Arc<ServerConfig>,
}

/// Makes an authority and a certificate for `localhost` and `127.0.0.1`.
pub(crate) fn generate() -> Result<Authority, SimError> {
    let broken = |error: rcgen::Error| SimError::Certificate(error.to_string());
    let authority_key = KeyPair::generate().map_err(broken)?;
    let mut params = CertificateParams::default();
    params
        .distinguished_name
        .push(DnType::CommonName, "dragonfly-sim authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let authority = params.self_signed(&authority_key).map_err(broken)?;
    let issuer = Issuer::new(params, authority_key);

    let names = ["localhost", "127.0.0.1"].map(String::from);
    let mut params = CertificateParams::new(names).map_err(broken)?;
    params
        .distinguished_name
        .push(DnType::CommonName, "dragonfly-sim");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    let key = KeyPair::generate().map_err(broken)?;
    let leaf = params.signed_by(&key, &issuer).map_err(broken)?;

    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let server = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| SimError::Certificate(error.to_string()))?
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der().clone()], key)
        .map_err(|error| SimError::Certificate(error.to_string()))?;
    Ok(Authority {
        pem: authority.pem(),
        server: Arc::new(server),
    })
}
