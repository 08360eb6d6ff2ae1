use std::fs;
use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use crate::program::{Folder, sha256};
use crate::server::{Server, answer, file, value};

fn modified(folder: &Folder) -> SystemTime {
    let metadata = fs::metadata(folder.path("raw_data.csv")).unwrap();
    metadata.modified().unwrap()
}

fn versions() -> (Server, Arc<Mutex<&'static str>>) {
    let etag = Arc::new(Mutex::new("w/\"v1\""));
    let current = Arc::clone(&etag);
    let server = Server::talking(move |head, stream| {
        let etag = *current.lock().unwrap();
        stream.write_all(&file(head, etag.as_bytes(), etag)).ok();
    });
    (server, etag)
}

#[test]
fn an_unchanged_file_is_neither_fetched_nor_touched() {
    let (folder, (server, etag)) = (Folder::new(), versions());
    let url = server.url("/x.csv");
    let again = || folder.download(&["--data_url", &url, "--if_changed"]);
    again().succeeded(6, "raw_data.csv");
    let before = modified(&folder);
    let names = ["raw_data.csv", "raw_data.csv.source"].map(str::to_owned);
    assert_eq!(folder.names(), names.clone().into());

    again().said("data_download: unchanged -> raw_data.csv");
    assert_eq!(modified(&folder), before);
    assert_eq!(folder.names(), names.clone().into());

    *etag.lock().unwrap() = "w/\"v2\"";
    again().succeeded(6, "raw_data.csv");
    assert_eq!(folder.read("raw_data.csv"), b"w/\"v2\"");
    again().said("data_download: unchanged -> raw_data.csv");

    let conditions: Vec<_> = server
        .requests()
        .iter()
        .map(|head| value(head, "if-none-match").map(str::to_owned))
        .collect();
    let tag = |tag: &str| Some(tag.to_owned());
    let expected = [None, tag("w/\"v1\""), tag("w/\"v1\""), tag("w/\"v2\"")];
    assert_eq!(conditions, expected);
}

#[test]
fn a_file_that_somebody_changed_is_fetched_again() {
    let (folder, (server, _etag)) = (Folder::new(), versions());
    let url = server.url("/x.csv");
    let other = server.url("/y.csv");
    let download = |url: &str| folder.download(&["--data_url", url, "--if_changed"]);
    download(&url).succeeded(6, "raw_data.csv");
    folder.write("raw_data.csv", "mine\n\n");
    download(&url).succeeded(6, "raw_data.csv");
    fs::remove_file(folder.path("raw_data.csv")).unwrap();
    download(&url).succeeded(6, "raw_data.csv");
    download(&other).succeeded(6, "raw_data.csv");
    folder
        .download(&["--data_url", &other, "--if_changed=false"])
        .succeeded(6, "raw_data.csv");
    download(&other).succeeded(6, "raw_data.csv");
    for head in server.requests() {
        assert_eq!(value(&head, "if-none-match"), None);
    }
}

#[test]
fn a_file_with_the_expected_hash_needs_no_question() {
    let folder = Folder::new();
    let server = Server::answering(|_| answer("200 OK", "a,b\n"));
    let (url, hash) = (server.url("/x.csv"), sha256(b"a,b\n"));
    let again = || folder.download(&["--data_url", &url, "--if_changed", "--sha256", &hash]);
    again().succeeded(4, "raw_data.csv");
    again().said("data_download: unchanged -> raw_data.csv");
    assert_eq!(server.requests().len(), 1);
    folder.write("raw_data.csv", "old");
    again().succeeded(4, "raw_data.csv");
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn a_local_file_that_did_not_change_is_not_copied_again() {
    let folder = Folder::new();
    folder.write("source.csv", "a,b\n");
    let again = || folder.download(&["--data_url", "source.csv", "--if_changed"]);
    again().succeeded(4, "raw_data.csv");
    let before = modified(&folder);
    again().said("data_download: unchanged -> raw_data.csv");
    assert_eq!(modified(&folder), before);
    folder.write("source.csv", "a,b,c\n");
    again().succeeded(6, "raw_data.csv");
}
