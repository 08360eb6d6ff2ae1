use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::Stdio;
use std::sync::Mutex;
use std::sync::mpsc::channel;

use crate::program::{Folder, PROGRAM, bytes};
use crate::server::{Server, cut, file};

const BODY: usize = 100_000;

/// The second waits for the first, says so, and then does its own work.
#[test]
fn two_downloads_to_one_target_do_not_mix() {
    let folder = Folder::new();
    let (tell, halfway) = channel();
    let (go_on, told) = channel::<()>();
    let told = Mutex::new(told);
    let first = Server::talking(move |head, stream| {
        let whole = file(head, &bytes(BODY), "\"v1\"");
        let start = cut(&whole, 1000);
        stream.write_all(&start).unwrap();
        tell.send(()).unwrap();
        told.lock().unwrap().recv().ok();
        stream.write_all(&whole[start.len()..]).ok();
    });
    let second = Server::talking(|head, stream| {
        stream.write_all(&file(head, b"a,b\n", "\"v1\"")).ok();
    });
    let start = |server: &Server| {
        let mut command = folder.command(PROGRAM);
        command.args(["--data_url", &server.url("/x.csv")]);
        command.stderr(Stdio::piped()).spawn().unwrap()
    };

    let mut one = start(&first);
    halfway.recv().unwrap();
    let mut other = start(&second);
    let mut said = BufReader::new(other.stderr.take().unwrap());
    let mut line = String::new();
    said.read_line(&mut line).unwrap();
    assert_eq!(
        line,
        "data_download: waiting for another download to `raw_data.csv`\n"
    );
    assert!(second.requests().is_empty());

    // Whatever is at that name when the first has ended, this is its file.
    let mut partial = File::open(folder.path("raw_data.csv.partial")).unwrap();
    go_on.send(()).unwrap();
    assert!(one.wait().unwrap().success());
    let mut content = Vec::new();
    partial.read_to_end(&mut content).unwrap();
    assert_eq!(content, bytes(BODY));

    assert!(other.wait().unwrap().success());
    assert_eq!(folder.read("raw_data.csv"), b"a,b\n");
    assert_eq!(folder.names(), ["raw_data.csv".to_owned()].into());
}
