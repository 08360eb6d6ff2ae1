//! An HTTP server on loopback that sends whatever bytes a test wants, then closes the connection.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

pub(crate) struct Server {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Answers each request with the raw bytes that `answer` makes of its path.
    pub(crate) fn answering(answer: impl Fn(&str) -> Vec<u8> + Send + 'static) -> Self {
        Self::serving(move |path, stream| {
            // The program may have hung up already, which is its right.
            stream.write_all(&answer(path)).ok();
        })
    }

    /// Hands the path of each request and its connection to `serve`.
    pub(crate) fn serving(serve: impl Fn(&str, &mut TcpStream) + Send + 'static) -> Self {
        Self::talking(move |head, stream| {
            let path = head.split(' ').nth(1).unwrap_or_default();
            serve(path, stream);
        })
    }

    /// Hands the head of each request, in lower case, and its connection to `serve`.
    pub(crate) fn talking(serve: impl Fn(&str, &mut TcpStream) + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let head = head(&stream);
                seen.lock().unwrap().push(head.clone());
                serve(&head, &mut stream);
            }
        });
        Server { address, requests }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The heads of the requests received so far, in lower case.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

fn head(stream: &TcpStream) -> String {
    let lines = BufReader::new(stream).lines();
    let lines = lines
        .map(Result::unwrap)
        .take_while(|line| !line.is_empty());
    lines.collect::<Vec<_>>().join("\n").to_lowercase()
}

/// A whole and honest answer.
pub(crate) fn answer(status: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    let length = body.as_ref().len();
    with_head(status, &format!("Content-Length: {length}"), body)
}

/// An answer with this header line, whatever body follows.
pub(crate) fn with_head(status: &str, header: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    let head = format!("HTTP/1.1 {status}\r\n{header}\r\nConnection: close\r\n\r\n");
    [head.as_bytes(), body.as_ref()].concat()
}

/// The value of a header in the head of a request.
pub(crate) fn value<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let line = head.lines().find_map(|line| line.strip_prefix(name))?;
    Some(line.strip_prefix(':')?.trim())
}

/// Where the asked range starts.
pub(crate) fn range(head: &str) -> Option<usize> {
    let range = value(head, "range")?.strip_prefix("bytes=")?;
    range.strip_suffix('-')?.parse().ok()
}

/// What an honest server answers that knows ranges and has `body` with this tag.
pub(crate) fn file(head: &str, body: &[u8], etag: &str) -> Vec<u8> {
    let (total, tag) = (body.len(), format!("ETag: {etag}"));
    if value(head, "if-none-match") == Some(etag) {
        return with_head("304 Not Modified", &tag, "");
    }
    match range(head).filter(|_| value(head, "if-range") == Some(etag)) {
        Some(start) if start < total => {
            let (last, length) = (total - 1, total - start);
            let headers = format!(
                "{tag}\r\nContent-Range: bytes {start}-{last}/{total}\r\nContent-Length: {length}"
            );
            with_head("206 Partial Content", &headers, &body[start..])
        }
        Some(_) => with_head(
            "416 Range Not Satisfiable",
            &format!("Content-Range: bytes */{total}\r\nContent-Length: 0"),
            "",
        ),
        None => with_head("200 OK", &format!("{tag}\r\nContent-Length: {total}"), body),
    }
}

/// The first bytes of an answer: its head and `count` bytes of its body.
pub(crate) fn cut(answer: &[u8], count: usize) -> Vec<u8> {
    let head = answer.windows(4).position(|four| four == b"\r\n\r\n");
    answer[..head.unwrap() + 4 + count].to_vec()
}
