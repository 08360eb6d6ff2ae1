//! What this machine has for steps that run at once.

use std::ffi::OsStr;
use std::num::NonZero;
use std::path::Path;

use mlproject::Resources;

/// What there is for the steps of a run.
#[derive(Debug)]
pub(super) struct Machine {
    pub(super) resources: Resources,
    /// The names of its graphics processors that no step has.
    gpus: Vec<String>,
}

impl Machine {
    /// What this process may use; graphics processors are looked for only if a step wants some.
    pub(super) fn find(needed: &[Resources]) -> Machine {
        let gpus = if needed.iter().any(|needed| needed.gpus > 0) {
            gpus()
        } else {
            Vec::new()
        };
        Machine {
            resources: Resources {
                // Also what a control group or an affinity leaves of it.
                cpus: std::thread::available_parallelism().map_or(1, NonZero::get) as u64,
                memory: memory(),
                gpus: gpus.len() as u64,
            },
            gpus,
        }
    }

    /// What is wanted of a resource and is not there at all, in words.
    pub(super) fn lacks(&self, needed: Resources) -> Option<String> {
        const GIB: u64 = 1 << 30;
        let has = self.resources;
        if needed.cpus > has.cpus {
            return Some(format!(
                "{} processors, and there are {}",
                needed.cpus, has.cpus
            ));
        }
        if needed.memory > has.memory {
            let [needed, has] = [needed.memory, has.memory].map(|bytes| bytes.div_ceil(GIB));
            return Some(format!("{needed} GiB of memory, and there are {has}"));
        }
        (needed.gpus > has.gpus).then(|| {
            format!(
                "{} graphics processors, and there are {}",
                needed.gpus, has.gpus
            )
        })
    }

    /// Graphics processors for a step, by their names.
    pub(super) fn take(&mut self, count: u64) -> Vec<String> {
        let count = usize::try_from(count)
            .unwrap_or(usize::MAX)
            .min(self.gpus.len());
        self.gpus.drain(..count).collect()
    }

    pub(super) fn give_back(&mut self, mut gpus: Vec<String>) {
        self.gpus.append(&mut gpus);
    }
}

/// The names by which `CUDA_VISIBLE_DEVICES` knows them.
fn gpus() -> Vec<String> {
    if let Ok(visible) = std::env::var("CUDA_VISIBLE_DEVICES") {
        let names = visible.split(',').map(str::trim);
        return names
            .filter(|name| !name.is_empty())
            .map(str::to_owned)
            .collect();
    }
    // One line each: `GPU 0: NAME (UUID: …)`.
    let listed = process::capture("nvidia-smi", &[OsStr::new("-L")], None);
    let listed = listed.ok().filter(|output| output.status.success());
    let text = listed.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let lines = text.iter().flat_map(|text| text.lines());
    lines
        .filter(|line| line.starts_with("GPU "))
        .enumerate()
        .map(|(number, _)| number.to_string())
        .collect()
}

/// The memory of the machine, or what the control group of this process may have of it, in bytes.
fn memory() -> u64 {
    let read = |path: &Path| std::fs::read_to_string(path).ok();
    let machine = read(Path::new("/proc/meminfo")).and_then(|text| total(&text));
    let group = read(Path::new("/proc/self/cgroup"));
    let group = group
        .iter()
        .flat_map(|text| text.lines())
        .find_map(|line| line.strip_prefix("0::/"));
    let folder = Path::new("/sys/fs/cgroup").join(group.unwrap_or_default());
    let folders = folder
        .ancestors()
        .take_while(|folder| folder.starts_with("/sys/fs/cgroup"));
    let limits =
        folders.filter_map(|folder| read(&folder.join("memory.max"))?.trim().parse::<u64>().ok());
    let old = read(Path::new("/sys/fs/cgroup/memory/memory.limit_in_bytes"));
    let old = old.and_then(|text| text.trim().parse().ok());
    limits.chain(old).chain(machine).min().unwrap_or(u64::MAX)
}

fn total(meminfo: &str) -> Option<u64> {
    let line = meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim()
        .strip_suffix(" kB")?
        .parse::<u64>()
        .ok()
        .map(|kib| kib << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_says_how_much_memory_it_has() {
        assert_eq!(
            total("MemFree: 1 kB\nMemTotal:       24628 kB\n"),
            Some(24628 << 10)
        );
        assert_eq!(total("nothing"), None);
        let memory = memory();
        assert!((1 << 26..u64::MAX).contains(&memory), "{memory}");
    }

    #[test]
    fn each_step_has_graphics_processors_of_its_own() {
        let mut machine = Machine {
            resources: Resources::default(),
            gpus: ["0", "1", "5"].map(str::to_owned).to_vec(),
        };
        let first = machine.take(2);
        assert_eq!(first, ["0", "1"]);
        assert_eq!(machine.take(2), ["5"]);
        machine.give_back(first);
        assert_eq!(machine.take(1), ["0"]);
    }

    #[test]
    fn what_is_not_there_at_all_is_named() {
        let machine = Machine {
            resources: Resources {
                cpus: 2,
                memory: 3 << 30,
                gpus: 0,
            },
            gpus: Vec::new(),
        };
        let lacks = |cpus, memory, gpus| machine.lacks(Resources { cpus, memory, gpus });
        assert_eq!(lacks(2, 3 << 30, 0), None);
        assert_eq!(lacks(3, 0, 0).unwrap(), "3 processors, and there are 2");
        assert_eq!(
            lacks(0, (4 << 30) - 1, 0).unwrap(),
            "4 GiB of memory, and there are 3"
        );
        assert_eq!(
            lacks(0, 0, 1).unwrap(),
            "1 graphics processors, and there are 0"
        );
    }
}
