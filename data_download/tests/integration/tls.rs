use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use rcgen::{CertificateParams, KeyPair};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::program::{Ended, Folder};
use crate::server::{Server, answer, value, with_head};

fn server() -> (SocketAddr, String, Arc<AtomicUsize>) {
    serving(answer("200 OK", "a,b\n"))
}

/// Answers every request by TLS with a certificate of its own, which is returned as PEM.
fn serving(answer: Vec<u8>) -> (SocketAddr, String, Arc<AtomicUsize>) {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
    let certificate = params.self_signed(&key).unwrap();
    let secret = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], secret)
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let count = Arc::new(AtomicUsize::new(0));
    let connections = Arc::clone(&count);
    thread::spawn(move || {
        for stream in listener.incoming() {
            connections.fetch_add(1, Ordering::SeqCst);
            let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = StreamOwned::new(connection, stream.unwrap());
            // A client that does not trust the certificate hangs up.
            if stream.read(&mut [0; 4096]).is_ok() {
                stream.write_all(&answer).ok();
                stream.conn.send_close_notify();
                stream.flush().ok();
            }
        }
    });
    (address, certificate.pem(), count)
}

#[test]
fn trusts_the_certificates_of_a_file() {
    let (address, pem, connections) = server();
    let (folder, url) = (Folder::new(), format!("https://{address}/x.csv"));
    folder.write("ca.pem", pem);

    // Not tried again: it would be the same the next time.
    let ended = folder.download(&["--data_url", &url, "--ca_file", ""]);
    ended.failed_with(1, "invalid peer certificate");
    assert_eq!(connections.load(Ordering::SeqCst), 1);
    folder
        .download(&["--data_url", &url, "--ca_file", "ca.pem"])
        .succeeded(4, "raw_data.csv");
    assert_eq!(folder.read("raw_data.csv"), b"a,b\n");
}

/// Neither to the host that the user named, by another way, nor to another one that has an entry.
#[test]
fn sends_no_login_in_clear_where_tls_has_led() {
    for host in ["127.0.0.1", "localhost"] {
        let plain = Server::answering(|_| answer("200 OK", "a,b\n"));
        let location = format!("Location: http://{host}:{}/x.csv", plain.address().port());
        let (address, pem, _) = serving(with_head("302 Found", &location, ""));
        let folder = Folder::new();
        folder.write("ca.pem", pem);
        folder.write(
            "netrc",
            "machine 127.0.0.1 login u password p\nmachine localhost login u password p\n",
        );
        let url = format!("https://{address}/x.csv");
        let mut command = folder.command(env!("CARGO_BIN_EXE_data_download"));
        command
            .args(["--data_url", &url, "--ca_file", "ca.pem"])
            .env("NETRC", "netrc");
        Ended::of(&mut command).succeeded(4, "raw_data.csv");
        let [head] = plain.requests().try_into().unwrap();
        assert_eq!(value(&head, "authorization"), None, "{head}");
    }
}

/// Nor is this tried again.
#[test]
fn tells_a_server_without_tls() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}/x.csv", listener.local_addr().unwrap());
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(&answer("400 Bad Request", "")).unwrap();
        // Until the client hangs up: a connection that is closed with unread bytes is reset.
        io::copy(&mut stream, &mut io::sink()).ok();
    });
    let folder = Folder::new();
    folder.download(&["--data_url", &url]).failed(&format!(
        "error: cannot download `{url}`: the server does not speak TLS there, expected an http URL"
    ));
    server.join().unwrap();
    assert!(folder.names().is_empty());
}

#[test]
fn refuses_a_file_without_certificates() {
    let folder = Folder::new();
    folder.write("empty", "");
    let url = "https://127.0.0.1:1/x.csv";
    let refused = |file: &str, expected: &str| {
        let ended = folder.download(&["--data_url", url, "--ca_file", file]);
        ended.failed(&format!("error: cannot download `{url}`: {expected}"));
    };
    refused(
        "empty",
        "CA file `empty` holds no certificate, expected PEM",
    );
    refused(
        "missing",
        "cannot read CA file `missing`: No such file or directory (os error 2)",
    );
}
