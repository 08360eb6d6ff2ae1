//! What is checked and changed on the way: hash, size, packing, web pages.

use std::io::{Cursor, Write};
use std::sync::atomic::{AtomicUsize, Ordering};

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use crate::program::{Folder, bytes, sha256};
use crate::server::{Server, answer, cut, file, range, value, with_head};

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
            "error: cannot download `{}`: the file has the SHA-256 {right}, expected {wrong}",
            url.replace("t0ken", "***")
        ));
    assert_eq!(folder.read("raw_data.csv"), b"old");
    assert_eq!(folder.names(), ["raw_data.csv".to_owned()].into());

    folder.write("source.csv", "a,b\n");
    folder
        .download(&["--data_url", "source.csv", "--sha256", &wrong])
        .failed(&format!(
            "error: cannot download `source.csv`: the file has the SHA-256 {right}, expected {wrong}"
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

/// What stands in a repository in the place of a large file.
#[test]
fn refuses_a_pointer_of_git_lfs() {
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n";
    let server = Server::answering(move |_| answer("200 OK", pointer));
    let url = server.url("/data.csv");
    let expected = |url: &str| {
        format!(
            "error: cannot download `{url}`: this is a pointer of Git LFS, which only stands for the \
             file; expected the file itself, as `git lfs pull` fetches it or \
             https://media.githubusercontent.com/media/OWNER/NAME/BRANCH/PATH has it"
        )
    };
    Folder::new().assert_refused(&url, &expected(&url));
    let folder = Folder::new();
    folder.write("pointer.csv", pointer);
    folder.assert_refused("pointer.csv", &expected("pointer.csv"));
}

#[test]
fn tells_what_is_packed_twice() {
    let folder = Folder::new();
    let twice = gzip(&zstd::encode_all(&b"a,b\n"[..], 1).unwrap());
    folder.write("x.csv.gz", &twice);
    let download = |more: &[&str]| folder.download(&[&["--data_url", "x.csv.gz"], more].concat());
    download(&["--decompress"]).failed(
        "error: cannot download `x.csv.gz`: cannot unpack what is to be `raw_data.csv`: it is packed twice, by zstd and then by \
         gzip; expected once; without --decompress it is kept as it is",
    );
    assert_eq!(folder.names(), ["x.csv.gz".to_owned()].into());
    download(&[]).succeeded(twice.len(), "raw_data.csv");
    // Wanted so.
    let ended = download(&["--decompress", "--output", "x.csv.zst"]);
    assert_eq!(ended.code(), Some(0), "{}", ended.stderr());
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
        ended.failed_with(1, ": cannot unpack what is to be `raw_data.csv`: ");
        assert_eq!(folder.read("raw_data.csv"), b"old");
        assert_eq!(folder.names(), ["raw_data.csv".to_owned()].into());
    }
}

/// As gzip(1) does: zeros behind a member are no reason to throw all away.
#[test]
fn unpacks_what_zeros_follow() {
    let folder = Folder::new();
    for (name, packed) in [
        ("padded", [gzip(b"a,b\n"), vec![0; 1000]].concat()),
        ("long", [gzip(b"a,b\n"), vec![0; 600_000]].concat()),
        (
            "between",
            [gzip(b"a,"), vec![0; 512], gzip(b""), gzip(b"b\n")].concat(),
        ),
    ] {
        folder.write("x.gz", &packed);
        let length = packed.len();
        folder
            .download(&["--data_url", "x.gz", "--decompress"])
            .said(&format!(
                "data_download: {length} bytes, 4 unpacked, in X s -> raw_data.csv"
            ));
        assert_eq!(folder.read("raw_data.csv"), b"a,b\n", "{name}");
    }
    folder.write("x.gz", [gzip(b"a,b\n"), b"\0\0junk".to_vec()].concat());
    folder
        .download(&["--data_url", "x.gz", "--decompress"])
        .failed(
            "error: cannot download `x.gz`: cannot unpack what is to be `raw_data.csv`: \
             something else follows the packed bytes",
        );
}

fn zlib(content: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

fn deflate(content: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

/// A server that packs `body` to send it, whatever it was asked for.
fn packing(encoding: &'static str, body: Vec<u8>) -> Server {
    Server::talking(move |head, stream| {
        let tag = format!("\"v1\"\r\nContent-Encoding: {encoding}");
        let tag = if value(head, "if-none-match").is_some() {
            "\"v1\"".to_owned()
        } else {
            tag
        };
        stream.write_all(&file(head, &body, &tag)).ok();
    })
}

/// As `curl --compressed` and requests do.
#[test]
fn unpacks_what_the_server_packed_to_send_it() {
    let content = bytes(300_000);
    let (hash, other) = (sha256(&content), sha256(b"other"));
    let zstd = zstd::encode_all(&content[..], 1).unwrap();
    for (encoding, packed) in [
        ("gzip", gzip(&content)),
        ("x-gzip", gzip(&content)),
        ("zstd", zstd),
        ("deflate", zlib(&content)),
        ("deflate", deflate(&content)),
    ] {
        let (folder, length) = (Folder::new(), packed.len());
        let server = packing(encoding, packed);
        let url = server.url("/x.csv");
        // The hash is that of the file on the server.
        let right = ["--data_url", &url, "--sha256", &hash];
        folder.download(&right).said(&format!(
            "data_download: {length} bytes, 300000 unpacked, in X s -> raw_data.csv"
        ));
        assert!(folder.read("raw_data.csv") == content, "{encoding}");
        assert_eq!(folder.names(), ["raw_data.csv".to_owned()].into());
        folder
            .download(&["--data_url", &url, "--sha256", &other])
            .failed(&format!(
                "error: cannot download `{url}`: the file has the SHA-256 {hash}, expected {other}"
            ));
        folder
            .download(&["--data_url", &url, "--max_bytes", "299999"])
            .failed_with(1, "the limit of --max_bytes");
    }
}

#[test]
fn what_says_nothing_about_packing_stays() {
    for encoding in ["identity", "utf-8", "aws-chunked", ""] {
        let folder = Folder::new();
        let server = packing(encoding, b"a,b\n".to_vec());
        folder
            .download(&["--data_url", &server.url("/")])
            .succeeded(4, "raw_data.csv");
    }
    let (folder, server) = (Folder::new(), packing("gzip", Vec::new()));
    folder
        .download(&["--data_url", &server.url("/")])
        .succeeded(0, "raw_data.csv");
}

/// The server only says once more what the name says.
#[test]
fn a_file_that_is_called_packed_stays_packed() {
    let (packed, folder) = (gzip(b"a,b\n"), Folder::new());
    let server = packing("gzip", packed.clone());
    let length = packed.len();
    folder
        .download(&["--data_url", &server.url("/x.csv.gz?page=1")])
        .succeeded(length, "raw_data.csv");
    assert_eq!(folder.read("raw_data.csv"), packed);
    folder
        .download(&["--data_url", &server.url("/x"), "--output", "x.csv.GZ"])
        .succeeded(length, "x.csv.GZ");
    assert_eq!(folder.read("x.csv.GZ"), packed);
    folder
        .download(&["--data_url", &server.url("/x.csv.gz"), "--decompress"])
        .said(&format!(
            "data_download: {length} bytes, 4 unpacked, in X s -> raw_data.csv"
        ));
    assert_eq!(folder.read("raw_data.csv"), b"a,b\n");
    // Packed by gzip to send it, and by zstd before.
    let zstd = zstd::encode_all(&b"a,b\n"[..], 1).unwrap();
    let server = packing("gzip", gzip(&zstd));
    let url = server.url("/x.csv.zst");
    for (options, expected) in [(&[][..], &zstd[..]), (&["--decompress"], b"a,b\n")] {
        let arguments = [&["--data_url", &url], options].concat();
        assert_eq!(folder.download(&arguments).code(), Some(0));
        assert_eq!(folder.read("raw_data.csv"), expected);
    }
}

#[test]
fn refuses_what_is_packed_in_another_way() {
    let server = packing("br", b"?".to_vec());
    let url = server.url("/x.csv");
    Folder::new().assert_refused(
        &url,
        &format!(
            "error: cannot download `{url}`: the server has packed the file as `br`, although it was \
             asked not to; expected it as it is, or as gzip, zstd or deflate"
        ),
    );
    assert_eq!(server.requests().len(), 1);
    let server = packing("gzip", b"a,b\n1,2\n3,4\n".to_vec());
    let url = server.url("/x.csv");
    Folder::new().assert_refused(
        &url,
        &format!(
            "error: cannot download `{url}`: cannot unpack what is to be `raw_data.csv`: \
             invalid gzip header"
        ),
    );
    let page = gzip(b"<!DOCTYPE html><title>Sign in</title>");
    let server = packing("gzip", page);
    let url = server.url("/x.csv");
    Folder::new().assert_refused(
        &url,
        &format!(
            "error: cannot download `{url}`: the answer is an HTML page, expected data; \
             --allow_html keeps it"
        ),
    );
}

/// The bytes that are there are those that were sent, and stay such over a restart.
#[test]
fn goes_on_with_what_the_server_packed() {
    let (folder, content) = (Folder::new(), bytes(300_000));
    let (packed, hash) = (gzip(&content), sha256(&content));
    for (second, starts_over) in [("gzip", false), ("identity", true)] {
        let (whole, count) = (packed.clone(), AtomicUsize::new(0));
        let server = Server::talking(move |head, stream| {
            let tag = |encoding| format!("\"v1\"\r\nContent-Encoding: {encoding}");
            let sent = match count.fetch_add(1, Ordering::Relaxed) {
                0 => cut(&file(head, &whole, &tag("gzip")), 1000),
                1 => match range(head) {
                    Some(start) => {
                        let (last, total) = (whole.len() - 1, whole.len());
                        let part = format!(
                            "ETag: \"v1\"\r\nContent-Encoding: {second}\r\n\
                             Content-Range: bytes {start}-{last}/{total}"
                        );
                        with_head("206 Partial Content", &part, &whole[start..])
                    }
                    None => Vec::new(),
                },
                _ => file(head, &whole, &tag("gzip")),
            };
            stream.write_all(&sent).ok();
        });
        let url = server.url("/x.csv");
        let arguments = ["--data_url", &url, "--sha256", &hash, "--retries", "0"];
        let ended = folder.download(&arguments);
        ended.failed_with(1, "the same command continues there");
        let ended = folder.download(&arguments);
        assert_eq!(ended.code(), Some(0), "{}", ended.stderr());
        assert!(folder.read("raw_data.csv") == content);
        let ranges: Vec<_> = server.requests().iter().map(|head| range(head)).collect();
        assert_eq!(ranges.len(), if starts_over { 3 } else { 2 });
        assert_eq!(ranges[1], Some(1000));
        assert_eq!(folder.names(), ["raw_data.csv".to_owned()].into());
    }
}

#[test]
fn what_the_server_packed_and_did_not_change_is_not_fetched_again() {
    let folder = Folder::new();
    let server = packing("gzip", gzip(b"a,b\n"));
    let url = server.url("/x.csv");
    let again = || folder.download(&["--data_url", &url, "--if_changed"]);
    assert_eq!(again().code(), Some(0));
    let record = String::from_utf8(folder.read("raw_data.csv.source")).unwrap();
    assert!(record.contains("\nencoding gzip\n"), "{record}");
    again().said("data_download: unchanged -> raw_data.csv");
    assert_eq!(folder.read("raw_data.csv"), b"a,b\n");
}

/// An archive of these members, the odd ones deflated.
fn zip(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (number, (name, content)) in (1..).zip(members) {
        let method = match number % 2 {
            0 => CompressionMethod::Stored,
            _ => CompressionMethod::Deflated,
        };
        let options = SimpleFileOptions::default().compression_method(method);
        if name.ends_with('/') {
            writer.add_directory(*name, options).unwrap();
        } else if name.ends_with("link") {
            writer.add_symlink(*name, "/etc/passwd", options).unwrap();
        } else {
            writer.start_file(*name, options).unwrap();
            writer.write_all(content).unwrap();
        }
    }
    writer.finish().unwrap().into_inner()
}

#[test]
fn unpacks_the_only_member_of_a_zip_archive() {
    let content = bytes(300_000);
    for archive in [
        zip(&[("x.csv", &content)]),
        zip(&[("data/", b""), ("data/x.csv", &content)]),
        zip(&[("../../x.csv", &content), ("__MACOSX/._x.csv", b"?")]),
        [
            b"PK\x03\x04 no archive yet".to_vec(),
            zip(&[("x", &content)]),
        ]
        .concat(),
    ] {
        let (folder, length) = (Folder::new(), archive.len());
        let server = Server::answering(move |_| answer("200 OK", &archive));
        let url = server.url("/x.csv.zip");
        folder
            .download(&["--data_url", &url, "--decompress"])
            .said(&format!(
                "data_download: {length} bytes, 300000 unpacked, in X s -> raw_data.csv"
            ));
        assert!(folder.read("raw_data.csv") == content);
        assert_eq!(folder.names(), ["raw_data.csv".to_owned()].into());
        folder
            .download(&["--data_url", &url])
            .succeeded(length, "raw_data.csv");
    }
    // Packed once more to send it.
    let folder = Folder::new();
    let server = packing("gzip", gzip(&zip(&[("x.csv", b"a,b\n")])));
    let ended = folder.download(&["--data_url", &server.url("/x"), "--decompress"]);
    assert_eq!(ended.code(), Some(0), "{}", ended.stderr());
    assert_eq!(folder.read("raw_data.csv"), b"a,b\n");
}

#[test]
fn refuses_a_zip_archive_that_is_no_packed_file() {
    let cut = zip(&[("x.csv", &bytes(10_000))]);
    let mut spoilt = cut.clone();
    spoilt[5000] ^= 1;
    let kept = "expected one; without --decompress it is kept as it is";
    for (archive, expected) in [
        (
            zip(&[("a", b"1"), ("b", b"2")]),
            format!("it is a zip archive of 2 files, {kept}"),
        ),
        (zip(&[]), format!("it is a zip archive of 0 files, {kept}")),
        (
            zip(&[("d/", b"")]),
            format!("it is a zip archive of 0 files, {kept}"),
        ),
        (
            zip(&[("link", b"")]),
            "what is in the zip archive is a link, expected a file".to_owned(),
        ),
        (
            zip(&[("x.gz", &gzip(b"a,b\n"))]),
            "it is packed twice, by gzip and then by zip; expected once; without --decompress it is \
             kept as it is"
                .to_owned(),
        ),
        (cut[..5000].to_vec(), String::new()),
        (spoilt, String::new()),
    ] {
        let folder = Folder::new();
        folder.write("x.zip", archive);
        let ended = folder.download(&["--data_url", "x.zip", "--decompress"]);
        let begin = "error: cannot download `x.zip`: cannot unpack what is to be `raw_data.csv`: ";
        ended.failed_with(1, &format!("{begin}{expected}"));
        assert_eq!(folder.names(), ["x.zip".to_owned()].into());
    }
    let folder = Folder::new();
    folder.write("x.zip", zip(&[("x", &vec![0; 100_000])]));
    folder
        .download(&["--data_url=x.zip", "--decompress", "--max_bytes=99999"])
        .failed_with(1, "the limit of --max_bytes");
}
