//! An object store: moto's server, which has to be on the PATH (`.ci/run cloud`).

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use crate::program::{Ended, Folder, PROGRAM, bytes, sha256};

struct Store {
    server: Child,
    address: String,
}

impl Store {
    fn start() -> Store {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let port = address.port().to_string();
        let server = Command::new("moto_server")
            .args(["-H", "127.0.0.1", "-p", &port])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let address = address.to_string();
        let mut store = Store { server, address };
        while TcpStream::connect(&store.address).is_err() {
            assert!(store.server.try_wait().unwrap().is_none());
            thread::sleep(Duration::from_millis(20));
        }
        store
    }

    fn put(&self, path: &str, body: &[u8]) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let (host, length) = (&self.address, body.len());
        let head = format!(
            "PUT {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {length}\r\n\
             Authorization: AWS4-HMAC-SHA256 Credential=id/20261123/us-east-1/s3/aws4_request\r\n\
             Connection: close\r\n\r\n"
        );
        stream.write_all(&[head.as_bytes(), body].concat()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }

    fn download(&self, folder: &Folder, arguments: &[&str]) -> Ended {
        let mut command = folder.command(PROGRAM);
        command.envs([
            ("AWS_ENDPOINT_URL", format!("http://{}", self.address)),
            ("AWS_ALLOW_HTTP", "true".to_owned()),
            ("AWS_REGION", "us-east-1".to_owned()),
            ("AWS_ACCESS_KEY_ID", "id".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "s3cret".to_owned()),
        ]);
        Ended::of(command.args(arguments))
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.server.kill().unwrap();
        self.server.wait().unwrap();
    }
}

#[test]
#[ignore = "needs moto_server"]
fn reads_an_object_store() {
    let (store, folder) = (Store::start(), Folder::new());
    let content = bytes(3_000_000);
    let hash = sha256(&content);
    store.put("/bucket", b"");
    store.put("/bucket/some%20folder/x.csv", &content);
    let url = "s3://bucket/some%20folder/x.csv";
    let again = ["--data_url", url, "--if_changed", "--retries", "0"];
    store
        .download(&folder, &[&again[..], &["--sha256", &hash]].concat())
        .succeeded(3_000_000, "raw_data.csv");
    assert_eq!(folder.read("raw_data.csv"), content);

    store
        .download(&folder, &again)
        .succeeded(3_000_000, "raw_data.csv");
    store
        .download(&folder, &again)
        .said("data_download: unchanged -> raw_data.csv");

    let missing = "s3://bucket/missing.csv";
    store
        .download(&Folder::new(), &["--data_url", missing])
        .failed(&format!(
            "error: cannot download `{missing}`: there is no `missing.csv` in the store"
        ));

    // Cut off by a limit on the length of files, and continued.
    let folder = Folder::new();
    let script = r#"ulimit -f 1000; trap "" XFSZ; exec "$0" "$@""#;
    let mut bash = folder.command("/bin/bash");
    bash.envs([
        ("AWS_ENDPOINT_URL", format!("http://{}", store.address)),
        ("AWS_ALLOW_HTTP", "true".to_owned()),
        ("AWS_REGION", "us-east-1".to_owned()),
        ("AWS_ACCESS_KEY_ID", "id".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "s3cret".to_owned()),
    ]);
    bash.args(["-c", script, PROGRAM, "--data_url", url]);
    let ended = Ended::of(&mut bash);
    ended.failed_with(
        1,
        "1024000 of 3000000 bytes are kept in `raw_data.csv.partial`",
    );
    store.download(&folder, &["--data_url", url]).said(
        "data_download: 3000000 bytes in X s, 1024000 of them from an earlier run -> raw_data.csv",
    );
    assert_eq!(folder.read("raw_data.csv"), content);
}
