//! Figures of reliability: `bash .ci/run reliability` prints them.

use std::time::{Duration, Instant};

use crate::harness::{Folder, is_alive, rounds};

/// Names every process of one run in its command line, so that they can be counted afterwards.
fn pipeline(mark: &str) -> Folder {
    let folder = Folder::new();
    folder.file("MLproject", "name: demo\nenv_manager: local");
    // Processes that ignore what asks them to stop: a child, one in a session of its own and one twice
    // forked. Each of them prints.
    folder.file(
        "stubborn.sh",
        "trap '' TERM INT HUP\nwhile :; do echo \"$1 $2 prints\"; sleep 0.005; done\n",
    );
    let body = format!(
        "command: |\n  bash ../stubborn.sh {mark} child &\n  setsid bash ../stubborn.sh {mark} session &\n  \
         (bash ../stubborn.sh {mark} orphan & exit) &\n  sleep 0.1"
    );
    for step in ["a", "b", "c"] {
        folder.step(step, &body);
    }
    folder
}

/// The pids of all living processes whose command line or working folder names the mark.
fn left(mark: &str) -> Vec<String> {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let is_ours = |pid: &String| {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains(mark) && is_alive(pid)
    };
    pids.filter(|pid| pid.parse::<u32>().is_ok())
        .filter(is_ours)
        .collect()
}

/// A small generator of pseudo-random numbers (xorshift), so that a run can be repeated.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

/// Interrupts runs at random moments; gives how many processes and unreadable logs were left in all.
fn interrupt(count: u64, seed: u64) -> (usize, usize) {
    let mut random = Random(seed);
    let (mut processes, mut logs) = (0, 0);
    for number in 0..count {
        let mark = format!("mark-{}-{seed}-{number}", std::process::id());
        let folder = pipeline(&mark);
        let arguments = ["--steps", "a,b,c", "--grace", "50ms"];
        let started = folder
            .orchestrator(&arguments)
            .stdout(std::process::Stdio::null())
            .start();
        // The moment is the point of this, and any will do.
        std::thread::sleep(Duration::from_millis(random.below(400)));
        let signal = ["INT", "TERM", "HUP", "KILL"][usize::try_from(random.below(4)).unwrap()];
        started.signal(signal);
        // Its stderr ends with its last process, also when the orchestrator was killed.
        drop(started.end());
        let deadline = Instant::now() + Duration::from_secs(2);
        while !left(&mark).is_empty() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
        }
        processes += left(&mark).len();
        for pid in left(&mark) {
            eprintln!("left by SIG{signal}: {pid}");
        }
        let whole = |line: &str| line.starts_with(&mark) && line.ends_with(" prints");
        let all = ["a", "b", "c"].iter().flat_map(|step| folder.logs(step));
        // The shell may tell of a process that was killed. The last line may be cut.
        let is_readable = |log: &String| {
            let mut lines: Vec<&str> = log.lines().collect();
            if !log.ends_with('\n') {
                lines.pop();
            }
            lines
                .iter()
                .all(|line| whole(line) || line.contains("illed") || line.contains("erminated"))
        };
        logs += all.filter(|log| !is_readable(log)).count();
    }
    (processes, logs)
}

#[cfg(target_os = "linux")]
#[test]
fn a_few_interruptions_at_random_moments_leave_nothing() {
    assert_eq!(interrupt(8, 1), (0, 0));
}

#[cfg(target_os = "linux")]
#[test]
#[ignore = "takes minutes"]
fn reliability_of_200_interruptions_at_random_moments() {
    let start = Instant::now();
    let count = rounds(200);
    let (processes, logs) = interrupt(count, 2026);
    println!(
        "{count} interruptions in {:.0} s: {processes} processes left, {logs} logs that cannot be read",
        start.elapsed().as_secs_f64()
    );
    assert_eq!((processes, logs), (0, 0));
}

/// In a small file system of its own, which needs the right to mount one.
#[cfg(target_os = "linux")]
#[test]
#[ignore = "mounts a tmpfs"]
fn reliability_on_a_full_disk() {
    let folder = Folder::new();
    let script = "
        set -e
        mkdir disk && mount -t tmpfs -o size=1m tmpfs disk && cd disk
        mkdir much fill
        echo 'env_manager: local' > MLproject
        printf 'entry_points:\\n  main:\\n    command: yes | head -c 3000000\\n' > much/MLproject
        printf 'entry_points:\\n  main:\\n    command: rm -f ../x; yes > ../x\\n' > fill/MLproject
        orchestrator --steps much | wc -c
        rm -r mlruns
        orchestrator --steps fill";
    let ended = folder
        .program_in_path("unshare", &["--mount", "bash", "-c", script])
        .run()
        .says("warning: the output is no longer kept: No space left on device")
        .says("[1/1] much: finished in")
        .says("error: step `fill` failed with exit code 1 after [TIME]")
        .says("No space left on device");
    ended.ends(1);
    // The output was passed on although it could not be kept.
    assert_eq!(ended.stdout(), "3000000\n");
    println!("a full disk: told, and nothing lost of what a step printed");
}
