//! The TLS side: which certificates are trusted, and by which provider they are checked.

use std::{path::Path, sync::Arc};

use dragonfly_core::client::ClientError;
use rustls::{
    ClientConfig, RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, pem, pem::PemObject as _},
};

/// TLS 1.2 and 1.3, trusting the Mozilla roots and the certificates in `ca_file`.
pub(super) fn config(ca_file: Option<&Path>) -> Result<Arc<ClientConfig>, ClientError> {
    let mut roots = RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    };
    if let Some(path) = ca_file {
        trust(&mut roots, path)?;
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

fn trust(roots: &mut RootCertStore, path: &Path) -> Result<(), ClientError> {
    let wrong = |what: String| {
        ClientError::Endpoint(format!("trust anchors in {}: {what}", path.display()))
    };
    let certificates = CertificateDer::pem_file_iter(path)
        .map_err(|error| wrong(format!("cannot be read: {}", plain(&error))))?;
    let mut count = 0_usize;
    for certificate in certificates {
        let certificate =
            certificate.map_err(|error| wrong(format!("not PEM: {}", plain(&error))))?;
        count += 1;
        roots
            .add(certificate)
            .map_err(|error| wrong(format!("certificate {count} is not usable: {error}")))?;
    }
    if count == 0 {
        return Err(wrong(
            "the file holds no certificate (-----BEGIN CERTIFICATE-----)".into(),
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
