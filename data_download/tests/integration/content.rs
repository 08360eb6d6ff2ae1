//! What is checked and changed on the way: hash, size, packing, web pages.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::program::{Folder, bytes, sha256};
use crate::server::{Server, answer, with_head};

#[test]
fn accepts_only_the_expected_hash() {
    let server = Server::answering(|_| answer("200 OK", "a,b\n"));
    let url = server.url("/x.csv?token=t0ken");
    let folder = Folder::new();
    let right = sha256(b"a,b\n");
    let upper = right.to_uppercase();
    for hash in [right.as_str(), &upper, ""] {
        folder
            .download(&["--data_url", &url, "--sha256", hash])
            .succeeded(4, "raw_data.csv");
    }

    folder.write("raw_data.csv", "old");
    let wrong = sha256(b"other");
    folder
        .download(&["--data_url", &url, "--sha256", &wrong])
        .failed(&format!(
            "error: `{}` has the SHA-256 {right}, expected {wrong}",
            url.replace("t0ken", "***")
        ));
    assert_eq!(folder.read("raw_data.csv"), b"old");
    assert_eq!(folder.names(), ["raw_data.csv".to_owned()].into());

    folder.write("source.csv", "a,b\n");
    folder
        .download(&["--data_url", "source.csv", "--sha256", &wrong])
        .failed(&format!(
            "error: `source.csv` has the SHA-256 {right}, expected {wrong}"
        ));
    folder
        .download(&["--data_url", &url, "--sha256", "abc"])
        .failed_with(2, "expected 64 hex digits");
}

#[test]
fn refuses_a_file_that_is_too_large() {
    let chunked = "3\r\na,b\r\n3\r\n,c\n\r\n0\r\n\r\n";
    let server = Server::answering(move |path| match path {
        "/announced" => answer("200 OK", "a,b,c\n"),
        _ => with_head("200 OK", "Transfer-Encoding: chunked", chunked),
    });
    let folder = Folder::new();
    let source = folder.write("source.csv", "a,b,c\n");
    let source = source.to_str().unwrap().to_owned();
    for url in [server.url("/announced"), server.url("/chunked"), source] {
        let enough = ["--data_url", &url, "--max_bytes", "6"];
        folder.download(&enough).succeeded(6, "raw_data.csv");
        let ended = folder.download(&["--data_url", &url, "--max_bytes", "5"]);
        ended.failed_with(
            1,
            "the file has more than 5 bytes, the limit of --max_bytes",
        );
        assert_eq!(folder.names().len(), 2, "{:?}", folder.names());
    }
}

#[test]
fn refuses_a_web_page() {
    let page = "<!DOCTYPE html><title>Sign in</title>";
    let server = Server::answering(move |_| answer("200 OK", page));
    let url = server.url("/data.csv");
    let expected = format!(
        "error: cannot download `{url}`: \
 the answer is an HTML page, expected data; --allow_html keeps it"
    );
    Folder::new().assert_refused(&url, &expected);

    let folder = Folder::new();
    let page_url = server.url("/index.html?x=1");
    let kept: [&[&str]; 4] = [
        &["--data_url", &url, "--allow_html"],
        &["--data_url", &url, "--allow_html", "true"],
        &["--data_url", &url, "--output", "page.htm"],
        &["--data_url", &page_url],
    ];
    for arguments in kept {
        let ended = folder.download(arguments);
        assert_eq!(ended.code(), Some(0), "{}", ended.stderr());
    }
    let refused = folder.download(&["--data_url", &url, "--allow_html", "false"]);
    assert_eq!(refused.code(), Some(1));
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn unpacks_when_asked_to() {
    let folder = Folder::new();
    let content = bytes(500_000);
    let (first, second) = content.split_at(200_000);
    let zstd = |content| zstd::encode_all(content, 1).unwrap();
    let packed = [
        gzip(&content),
        [gzip(first), gzip(second)].concat(),
        zstd(&content[..]),
        [zstd(first), zstd(second)].concat(),
    ];
    for packed in packed {
        let (hash, length) = (sha256(&packed), packed.len());
        let sent = packed.clone();
        let server = Server::answering(move |_| answer("200 OK", &sent));
        let url = server.url("/x");
        // The hash is that of what was downloaded.
        let arguments = ["--data_url", &url, "--sha256", &hash];
        folder
            .download(&arguments)
            .succeeded(length, "raw_data.csv");
        assert_eq!(folder.read("raw_data.csv"), packed);

        let arguments = [&arguments[..], &["--decompress"]].concat();
        folder.download(&arguments).said(&format!(
            "data_download: {length} bytes, 500000 unpacked, in X s -> raw_data.csv"
        ));
        assert_eq!(folder.read("raw_data.csv"), content);
        assert_eq!(folder.names(), ["raw_data.csv".to_owned()].into());
    }
    folder.write("source.csv", "a,b\n");
    folder
        .download(&["--data_url", "source.csv", "--decompress"])
        .succeeded(4, "raw_data.csv");
    assert_eq!(folder.read("raw_data.csv"), b"a,b\n");
}

#[test]
fn leaves_nothing_of_what_cannot_be_unpacked() {
    let zeros = vec![0; 100_000];
    let zstd = zstd::encode_all(&zeros[..], 1).unwrap();
    let (gzip, most) = (gzip(&zeros), "--max_bytes=99999");
    let cases = [
        (gzip[..gzip.len() - 5].to_vec(), "--retries=5"),
        ([&gzip[..], b"junk"].concat(), "--retries=5"),
        (zstd[..zstd.len() - 1].to_vec(), "--retries=5"),
        (gzip, most),
        (zstd, most),
    ];
    for (packed, option) in cases {
        let folder = Folder::new();
        folder.write("raw_data.csv", "old");
        let server = Server::answering(move |_| {
            with_head(
                "200 OK",
                &format!("ETag: \"a\"\r\nContent-Length: {}", packed.len()),
                &packed,
            )
        });
        let url = server.url("/x.csv.gz");
        let ended = folder.download(&["--data_url", &url, "--decompress", option]);
        ended.failed_with(1, "error: cannot unpack what is to be `raw_data.csv`: ");
        assert_eq!(folder.read("raw_data.csv"), b"old");
        assert_eq!(folder.names(), ["raw_data.csv".to_owned()].into());
    }
}
