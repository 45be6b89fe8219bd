//! The TLS side: which certificates are trusted, and by which provider they are checked.

use std::{io, path::PathBuf, sync::Arc};

use dragonfly_core::client::ClientError;
use rustls::{
    AlertDescription, CertificateError, ClientConfig, Error, PeerIncompatible, RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, pem, pem::PemObject as _},
};

/// Certificates to trust besides the Mozilla roots.
#[derive(Clone, Debug)]
pub(super) enum Anchors {
    /// Those of a PEM file.
    File(PathBuf),
    /// Those of a PEM text.
    Text(String),
}

/// TLS 1.2 and 1.3, trusting the Mozilla roots and the certificates in `anchors`.
pub(super) fn config(anchors: Option<&Anchors>) -> Result<Arc<ClientConfig>, ClientError> {
    let mut roots = RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    };
    if let Some(anchors) = anchors {
        trust(&mut roots, anchors)?;
    }
    // The provider is named, because rustls panics when two are compiled in and none is chosen.
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| ClientError::Endpoint(format!("TLS cannot be set up: {error}")))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn trust(roots: &mut RootCertStore, anchors: &Anchors) -> Result<(), ClientError> {
    let (name, pem) = match anchors {
        Anchors::File(path) => (path.display().to_string(), std::fs::read(path)),
        Anchors::Text(text) => ("a text".into(), Ok(text.clone().into_bytes())),
    };
    let wrong = |what: String| ClientError::Endpoint(format!("trust anchors in {name}: {what}"));
    let pem = pem.map_err(|error| wrong(format!("cannot be read: {error}")))?;
    let certificates = CertificateDer::pem_slice_iter(&pem);
    let mut count = 0_usize;
    for certificate in certificates {
        let certificate =
            certificate.map_err(|error| wrong(format!("not PEM: {}", plain(&error))))?;
        count = count.saturating_add(1);
        roots
            .add(certificate)
            .map_err(|error| wrong(format!("certificate {count} is not usable: {error}")))?;
    }
    if count == 0 {
        return Err(wrong(
            "there is no certificate (-----BEGIN CERTIFICATE-----) in it".into(),
        ));
    }
    Ok(())
}

/// The cause alone, where the library's own text would wrap it.
fn plain(error: &pem::Error) -> String {
    match error {
        pem::Error::Io(error) => error.to_string(),
        other => other.to_string(),
    }
}

/// What is wrong with the server, where the library's own words leave that open.
pub(super) fn explain(error: &io::Error) -> String {
    let cause = error.get_ref().and_then(|cause| cause.downcast_ref());
    let hint = match cause {
        Some(Error::InvalidCertificate(CertificateError::BadSignature)) => {
            ": a signature does not fit, or was made with too weak a key (RSA needs 2048 bits)"
        }
        Some(
            Error::PeerIncompatible(
                PeerIncompatible::ServerDoesNotSupportTls12Or13
                | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig,
            )
            | Error::AlertReceived(AlertDescription::ProtocolVersion),
        ) => ": the server speaks neither TLS 1.2 nor TLS 1.3",
        _ => "",
    };
    format!("{error}{hint}")
}
