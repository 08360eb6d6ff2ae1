//! What TLS computes with.

/// Chooses what TLS computes with, for http and the object stores alike.
pub fn set_tls_provider() {
    // Fails only if there is a provider already, which is as good.
    rustls::crypto::ring::default_provider()
        .install_default()
        .ok();
}
