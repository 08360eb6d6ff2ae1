//! What others may have put where the files beside the output go, in a folder that they share.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, lchown, symlink};
use std::os::unix::net::UnixListener;

use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use rustix::process::geteuid;

use crate::program::{Ended, Folder, PROGRAM, bytes};
use crate::server::{Server, cut, file, range};

const BODY: usize = 100_000;

/// A user who need not exist.
const OTHER: u32 = 54321;

/// The names of the files beside the output, and what makes a download use each of them.
const NAMES: [(&str, &[&str]); 4] = [
    ("raw_data.csv.partial", &[]),
    ("raw_data.csv.partial.source", &[]),
    ("raw_data.csv.source", &["--if_changed"]),
    ("raw_data.csv.partial.unpacked", &["--decompress"]),
];

fn honest() -> Server {
    Server::talking(|head, stream| {
        use std::io::Write;
        let packed = zstd::encode_all(&bytes(BODY)[..], 1).unwrap();
        let body = if head.starts_with("get /packed") {
            packed
        } else {
            bytes(BODY)
        };
        stream.write_all(&file(head, &body, "\"v1\"")).ok();
    })
}

fn download(folder: &Folder, server: &Server, options: &[&str]) -> Ended {
    let path = if options.contains(&"--decompress") {
        "/packed"
    } else {
        "/"
    };
    let url = server.url(path);
    folder.download(&[&["--data_url", &url][..], options].concat())
}

/// Expects that the download was made, or that it was refused with a word about `name`.
#[track_caller]
fn assert_done_or_told(folder: &Folder, ended: &Ended, name: &str) {
    if ended.code() == Some(0) {
        assert_eq!(folder.read("raw_data.csv"), bytes(BODY));
        assert!(!folder.path("raw_data.csv").is_symlink());
        return;
    }
    let expected = format!(
        "error: `{name}` is not a regular file and is in the way, \
         remove it or choose another --output"
    );
    ended.failed(&expected);
    assert!(!folder.path("raw_data.csv").exists());
}

#[test]
fn a_link_is_not_followed() {
    let server = honest();
    for (name, options) in NAMES {
        let folder = Folder::new();
        folder.write("precious", "x");
        symlink("precious", folder.path(name)).unwrap();
        let ended = download(&folder, &server, options);
        assert_done_or_told(&folder, &ended, name);
        assert_eq!(folder.read("precious"), b"x", "{name}");

        // Nor does one to nothing make a file elsewhere.
        let folder = Folder::new();
        symlink("new", folder.path(name)).unwrap();
        let ended = download(&folder, &server, options);
        assert_done_or_told(&folder, &ended, name);
        assert!(!folder.path("new").exists(), "{name}");
    }
}

#[test]
fn another_name_of_a_file_is_not_written_through() {
    let server = honest();
    for (name, options) in NAMES {
        let folder = Folder::new();
        let precious = folder.write("precious", "x");
        fs::hard_link(&precious, folder.path(name)).unwrap();
        let ended = download(&folder, &server, options);
        assert_eq!(ended.code(), Some(0), "{}", ended.stderr());
        assert_eq!(folder.read("raw_data.csv"), bytes(BODY));
        assert_eq!(folder.read("precious"), b"x", "{name}");
        assert_eq!(fs::metadata(&precious).unwrap().nlink(), 1);
    }
}

/// The bytes of a cut download that somebody else can still write to are not gone on from.
#[test]
fn a_partial_file_with_another_name_is_not_continued() {
    let folder = Folder::new();
    let server = Server::talking(|head, stream| {
        use std::io::Write;
        let whole = file(head, &bytes(BODY), "\"v1\"");
        let sent = if range(head).is_none() {
            cut(&whole, 1000)
        } else {
            whole
        };
        stream.write_all(&sent).ok();
    });
    let url = server.url("/");
    let cut = folder.download(&["--data_url", &url, "--retries=0"]);
    assert_eq!(cut.code(), Some(1));
    fs::hard_link(folder.path("raw_data.csv.partial"), folder.path("mine")).unwrap();
    let again = folder.download(&["--data_url", &url, "--retries=0"]);
    assert_eq!(again.code(), Some(1));
    assert!(server.requests().iter().all(|head| range(head).is_none()));
    assert_eq!(folder.read("mine"), bytes(BODY)[..1000]);
}

#[test]
fn a_pipe_or_socket_is_not_waited_for() {
    let server = honest();
    for (name, options) in NAMES {
        let folder = Folder::new();
        mkfifo(&folder.path(name), Mode::S_IRWXU).unwrap();
        let ended = download(&folder, &server, options);
        assert_done_or_told(&folder, &ended, name);

        let folder = Folder::new();
        let _socket = UnixListener::bind(folder.path(name)).unwrap();
        let ended = download(&folder, &server, options);
        assert_done_or_told(&folder, &ended, name);
    }
}

#[test]
fn a_folder_is_told_before_anything_is_fetched() {
    for (name, options) in NAMES {
        let (folder, server) = (Folder::new(), honest());
        folder.write("raw_data.csv", "old");
        fs::create_dir(folder.path(name)).unwrap();
        let ended = download(&folder, &server, options);
        ended.failed(&format!(
            "error: `{name}` is a folder and is in the way, remove it or choose another --output"
        ));
        assert_eq!(folder.read("raw_data.csv"), b"old");
        assert!(server.requests().is_empty());
    }
}

/// One that is not needed is no obstacle.
#[test]
fn a_folder_with_an_unused_name_stays() {
    let (folder, server) = (Folder::new(), honest());
    fs::create_dir(folder.path("raw_data.csv.source")).unwrap();
    fs::create_dir(folder.path("raw_data.csv.partial.unpacked")).unwrap();
    download(&folder, &server, &[]).succeeded(BODY, "raw_data.csv");
    assert!(folder.path("raw_data.csv.source").is_dir());
}

/// Reading a record back follows nothing, waits for nothing, and does not fill the memory.
#[test]
#[cfg(target_os = "linux")]
fn a_record_is_read_only_if_it_can_be_one() {
    let server = honest();
    let folder = Folder::new();
    let options = ["--if_changed"];
    download(&folder, &server, &options).succeeded(BODY, "raw_data.csv");
    let record = folder.path("raw_data.csv.source");
    let remembered = fs::read(&record).unwrap();
    download(&folder, &server, &options).said("data_download: unchanged -> raw_data.csv");

    let plants: [&dyn Fn(); 4] = [
        &|| symlink("/dev/zero", &record).unwrap(),
        &|| mkfifo(&record, Mode::S_IRWXU).unwrap(),
        &|| {
            fs::write(folder.path("elsewhere"), &remembered).unwrap();
            symlink("elsewhere", &record).unwrap();
        },
        &|| {
            // Sparse: it takes no room.
            let file = fs::File::create(&record).unwrap();
            file.set_len(8 << 30).unwrap();
        },
    ];
    for plant in plants {
        fs::remove_file(&record).unwrap();
        plant();
        let mut bash = folder.command("/bin/bash");
        let script = r#"ulimit -d 65536; exec "$0" "$@""#;
        let url = server.url("/");
        bash.args(["-c", script, PROGRAM, "--data_url", &url, "--if_changed"]);
        Ended::of(&mut bash).succeeded(BODY, "raw_data.csv");
        assert_eq!(fs::read(&record).unwrap().len(), remembered.len());
        assert!(!record.is_symlink());
    }
}

#[test]
fn a_netrc_file_that_is_a_pipe_is_not_waited_for() {
    let folder = Folder::new();
    let server = honest();
    let pipe = folder.path("netrc");
    mkfifo(&pipe, Mode::S_IRWXU).unwrap();
    let run = |netrc: &str| {
        let mut command = folder.command(PROGRAM);
        command.env("NETRC", netrc);
        Ended::of(command.args(["--data_url", &server.url("/"), "--output", "out.csv"]))
    };
    let told = run(pipe.to_str().unwrap());
    let warning = format!(
        "warning: `{}` is not a netrc file that can be read\n",
        pipe.display()
    );
    assert!(told.stderr().starts_with(&warning), "{}", told.stderr());
    assert_eq!(told.code(), Some(0));
    run("/dev/null").succeeded(BODY, "out.csv");
    if cfg!(target_os = "linux") {
        let told = run("/dev/zero");
        assert!(
            told.stderr()
                .starts_with("warning: `/dev/zero` is not a netrc file")
        );
        assert_eq!(told.code(), Some(0));
    }
}

#[test]
#[cfg(target_os = "linux")]
fn certificates_without_end_are_not_read() {
    let folder = Folder::new();
    let server = honest();
    let url = server.url("/");
    folder
        .download(&["--data_url", &url, "--ca_file", "/dev/zero"])
        .failed_with(1, ": cannot read CA file `/dev/zero`: ");
    assert!(server.requests().is_empty());
}

/// Run by root, who alone can make files of others.
#[test]
fn what_belongs_to_another_user_is_replaced() {
    if !geteuid().is_root() {
        eprintln!("not tried: only root can make files of other users");
        return;
    }
    let server = honest();
    for (name, options) in NAMES {
        let folder = Folder::new();
        let planted = folder.write(name, bytes(10));
        fs::set_permissions(&planted, Permissions::from_mode(0o666)).unwrap();
        lchown(&planted, Some(OTHER), Some(OTHER)).unwrap();
        // Whoever has it open goes on seeing what was there.
        let mut held = fs::File::open(&planted).unwrap();
        let ended = download(&folder, &server, options);
        assert_eq!(ended.code(), Some(0), "{}", ended.stderr());
        assert_eq!(folder.read("raw_data.csv"), bytes(BODY));
        let owner = fs::metadata(folder.path("raw_data.csv")).unwrap().uid();
        assert_eq!(owner, geteuid().as_raw());
        let mut seen = Vec::new();
        std::io::Read::read_to_end(&mut held, &mut seen).unwrap();
        assert_eq!(seen, bytes(10), "{name}");
    }
}

/// An output that is a link is followed, but not where somebody else may have put it.
#[test]
fn anothers_link_in_a_folder_for_everybody_is_refused() {
    if !geteuid().is_root() {
        eprintln!("not tried: only root can make links of other users");
        return;
    }
    let server = honest();
    let folder = Folder::new();
    let shared = folder.path("shared");
    fs::create_dir(&shared).unwrap();
    folder.write("precious", "x");
    symlink("../precious", shared.join("raw_data.csv")).unwrap();
    lchown(shared.join("raw_data.csv"), Some(OTHER), Some(OTHER)).unwrap();
    let run = || download(&folder, &server, &["--output", "shared/raw_data.csv"]);

    fs::set_permissions(&shared, Permissions::from_mode(0o1777)).unwrap();
    run().failed(
        "error: output `shared/raw_data.csv` is another user's link, \
         in a folder that everybody can write to",
    );
    assert_eq!(folder.read("precious"), b"x");
    assert!(server.requests().is_empty());

    fs::set_permissions(&shared, Permissions::from_mode(0o755)).unwrap();
    run().succeeded(BODY, "shared/raw_data.csv");
    assert_eq!(folder.read("precious"), bytes(BODY));
}
