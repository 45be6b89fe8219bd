//! A certificate authority made at start, and the server certificates it signs.
//!
//! Nothing is written to disk and no key leaves the process: a client trusts the simulator by
//! being given the authority's PEM text, as it would be given a private authority's.

use std::{net::IpAddr, sync::Arc};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
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

/// Servers that no client may trust who trusts the authority.
#[derive(Clone)]
pub(crate) struct Impostors {
    /// The certificate is of an authority that nobody knows.
    pub(crate) unknown_ca: Arc<ServerConfig>,
    /// The certificate is of another host.
    pub(crate) wrong_host: Arc<ServerConfig>,
    /// The certificate has expired.
    pub(crate) expired: Arc<ServerConfig>,
}

/// What a server at an address of this machine is called: `localhost`, `127.0.0.1` and that address.
fn names(address: IpAddr) -> Vec<String> {
    let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let own = address.to_string();
    if !names.contains(&own) {
        names.push(own);
    }
    names
}

/// Makes an authority and a certificate for `localhost`, `127.0.0.1` and the address.
pub(crate) fn generate(address: IpAddr) -> Result<Authority, SimError> {
    let (pem, issuer) = authority("dragonfly-sim authority")?;
    let server = server(&issuer, names(address), false)?;
    Ok(Authority { pem, server })
}

/// The same, with servers that are not to be trusted beside it.
pub(crate) fn generate_with_impostors(address: IpAddr) -> Result<(Authority, Impostors), SimError> {
    let own = names(address);
    let (pem, issuer) = authority("dragonfly-sim authority")?;
    let (_, nobody) = authority("unknown authority")?;
    let impostors = Impostors {
        unknown_ca: server(&nobody, own.clone(), false)?,
        wrong_host: server(&issuer, vec!["elsewhere.invalid".to_owned()], false)?,
        expired: server(&issuer, own.clone(), true)?,
    };
    let server = server(&issuer, own, false)?;
    Ok((Authority { pem, server }, impostors))
}

fn broken(error: impl ToString) -> SimError {
    SimError::Certificate(error.to_string())
}

fn authority(name: &str) -> Result<(String, Issuer<'static, KeyPair>), SimError> {
    let key = KeyPair::generate().map_err(broken)?;
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let authority = params.self_signed(&key).map_err(broken)?;
    Ok((authority.pem(), Issuer::new(params, key)))
}

fn server(
    issuer: &Issuer<'static, KeyPair>,
    names: Vec<String>,
    has_expired: bool,
) -> Result<Arc<ServerConfig>, SimError> {
    let mut params = CertificateParams::new(names).map_err(broken)?;
    params
        .distinguished_name
        .push(DnType::CommonName, "dragonfly-sim");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    if has_expired {
        params.not_before = date_time_ymd(2001, 1, 1);
        params.not_after = date_time_ymd(2002, 1, 1);
    }
    let key = KeyPair::generate().map_err(broken)?;
    let leaf = params.signed_by(&key, issuer).map_err(broken)?;
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(broken)?
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der().clone()], key)
        .map_err(broken)?;
    Ok(Arc::new(config))
}
