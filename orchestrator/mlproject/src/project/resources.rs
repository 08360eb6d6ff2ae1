//! `resources:` of a step: what it takes of the machine.

use serde::Deserialize;

use super::Error;
use super::node::Node;
use super::step_entry::known_keys;

/// What a step takes of the machine while it runs; what is not said is nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Resources {
    /// Processors.
    pub cpus: u64,
    /// Bytes.
    pub memory: u64,
    /// Graphics processors.
    pub gpus: u64,
}

const KEYS: [&str; 3] = ["cpus", "memory", "gpus"];

impl Resources {
    /// The section below a step's entry.
    pub(super) fn parse(entry: &Node) -> Result<Resources, Error> {
        let Some(section) = entry.get("resources") else {
            return Ok(Resources::default());
        };
        let entries = section.named_entries("a mapping with `cpus`, `memory` and `gpus`")?;
        known_keys(&entries, &KEYS, || section.name())?;
        let memory: Option<Size> = section.read("memory", "a size with its unit, such as 16G")?;
        Ok(Resources {
            cpus: section.read("cpus", "a number of processors")?.unwrap_or(0),
            memory: memory.map_or(0, |Size(bytes)| bytes),
            gpus: section
                .read("gpus", "a number of graphics processors")?
                .unwrap_or(0),
        })
    }
}

/// Bytes as people write them: a whole number with its unit, as Slurm and Kubernetes take it (`16G`, `16GB`,
/// `16Gi`, all powers of 1024).
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
struct Size(u64);

impl TryFrom<String> for Size {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Size, Self::Error> {
        let end = text
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(text.len());
        let (number, unit) = text.split_at(end);
        let unit = unit.trim_start().to_ascii_lowercase();
        let power = match unit
            .strip_suffix("ib")
            .or(unit.strip_suffix(['b', 'i']))
            .unwrap_or(&unit)
        {
            "k" => 1,
            "m" => 2,
            "g" => 3,
            "t" => 4,
            _ => return Err("no unit"),
        };
        let bytes = number.parse::<u64>().ok();
        let bytes = bytes.and_then(|number| number.checked_mul(1 << (10 * power)));
        bytes.map(Size).ok_or("no number, or one that is too large")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_a_unit() {
        for (text, bytes) in [
            ("1k", Some(1 << 10)),
            ("2M", Some(2 << 20)),
            ("16G", Some(16 << 30)),
            ("16 GB", Some(16 << 30)),
            ("16Gi", Some(16 << 30)),
            ("1TiB", Some(1 << 40)),
            ("16", None),
            ("G", None),
            ("-1G", None),
            ("1.5G", None),
            ("1X", None),
            ("99999999999T", None),
        ] {
            let size = Size::try_from(text.to_owned())
                .ok()
                .map(|Size(bytes)| bytes);
            assert_eq!(size, bytes, "{text}");
        }
    }
}
