//! The HTTP client of one server.
//!
//! It follows no redirects, so the API key and the prompt go to the named endpoint only; it asks no system proxy for a
//! loopback address; and the system's certificates, which take milliseconds to read, are read for `https` only.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Client, Url};

use super::error::{GatewayError, cause};
use super::key::ApiKey;

/// Where a server is: its root, and where below it the API may be.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Address {
    /// Without a trailing slash and without `/v1`.
    pub root: String,
    https: bool,
    loopback: bool,
}

impl Address {
    /// Any URL of a server: its root, `…/v1`, the path of one route; `http` where no scheme is given.
    pub fn parse(text: &str) -> Result<Self, GatewayError> {
        let text = text.trim();
        let with_scheme = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
        let refuse = |why: String| GatewayError::Misnamed {
            message: format!("`{text}` is no endpoint: {why}"),
            hints: vec!["an endpoint looks like `http://127.0.0.1:8080`".to_owned()],
        };
        let url = Url::parse(&with_scheme).map_err(|error| refuse(error.to_string()))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(refuse(format!("`{}` is not `http` or `https`", url.scheme())));
        }
        if !url.username().is_empty() || url.password().is_some() {
            // It would be shown and kept with the session.
            return Err(refuse("it has a user name or a password in it".to_owned()));
        }
        let mut path = url.path().trim_end_matches('/');
        for route in ["/chat/completions", "/completions", "/models", "/v1"] {
            path = path.strip_suffix(route).unwrap_or(path).trim_end_matches('/');
        }
        Ok(Self {
            root: format!("{}{path}", url.origin().ascii_serialization()),
            https: url.scheme() == "https",
            loopback: url.host_str().is_some_and(is_loopback),
        })
    }
}

fn is_loopback(host: &str) -> bool {
    let host = host.trim_matches(['[', ']']);
    match host.parse::<IpAddr>() {
        Ok(ip) => ip.is_loopback() || ip.is_unspecified(),
        Err(_) => host == "localhost" || host.ends_with(".localhost"),
    }
}

/// A client that knows the key; it must be used for this address only.
pub(super) fn client(address: &Address, key: Option<&ApiKey>, connect: Duration) -> Result<Client, GatewayError> {
    let mut headers = HeaderMap::new();
    if let Some(key) = key {
        let mut value = HeaderValue::from_str(&format!("Bearer {}", key.expose()))
            .map_err(|_| GatewayError::refused("the API key has characters that cannot be sent"))?;
        value.set_sensitive(true);
        headers.insert(AUTHORIZATION, value);
    }
    let mut builder = Client::builder()
        .user_agent(concat!("faos/", env!("CARGO_PKG_VERSION")))
        .default_headers(headers)
        .redirect(Policy::none())
        .connect_timeout(connect);
    if address.loopback {
        builder = builder.no_proxy();
    }
    let provider = rustls::crypto::ring::default_provider();
    if address.https {
        // An error only says that it was installed before.
        let _ = provider.install_default();
    } else {
        // A kept connection that the server has closed meanwhile costs a failed request; a new one next to nothing.
        builder = builder.pool_max_idle_per_host(0).tls_backend_preconfigured(no_tls(provider)?);
    }
    builder.build().map_err(|error| GatewayError::refused(format!("cannot set up the HTTP client: {}", cause(&error))))
}

/// A TLS configuration that trusts nobody, for a client that never needs one.
fn no_tls(provider: rustls::crypto::CryptoProvider) -> Result<rustls::ClientConfig, GatewayError> {
    let builder = rustls::ClientConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| GatewayError::refused(format!("cannot set up the HTTP client: {error}")))?;
    Ok(builder.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Address;

    #[test]
    fn any_url_of_a_server_is_its_address() {
        for (text, root) in [
            ("localhost:8080", "http://localhost:8080"),
            (" http://127.0.0.1:8080/ ", "http://127.0.0.1:8080"),
            ("http://[::1]:1234/v1/", "http://[::1]:1234"),
            ("http://box.lan/v1/chat/completions", "http://box.lan"),
            ("https://example.org/api/v1/models?x=1#y", "https://example.org/api"),
            ("HTTPS://Example.org:443", "https://example.org"),
        ] {
            assert_eq!(Address::parse(text).unwrap().root, root, "{text}");
        }
        for text in ["", "ftp://x", "http://", "http://u:p@x", "unix:///x", "a b"] {
            assert!(Address::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn loopback_addresses_are_known() {
        for (text, want) in [
            ("localhost:1", true),
            ("127.9.9.9:1", true),
            ("[::1]:1", true),
            ("0.0.0.0:1", true),
            ("llm.localhost", true),
            ("192.168.0.2:1", false),
            ("localhost.example.org", false),
        ] {
            assert_eq!(Address::parse(text).unwrap().loopback, want, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text: String) {
            let _ = Address::parse(&text);
        }

        #[test]
        fn an_address_is_its_own_address(host in "[a-z]{1,8}", path in "(/[a-z0-9]{1,3}){0,3}/?") {
            if let Ok(address) = Address::parse(&format!("{host}:80{path}")) {
                prop_assert_eq!(Address::parse(&address.root), Ok(address));
            }
        }
    }
}
