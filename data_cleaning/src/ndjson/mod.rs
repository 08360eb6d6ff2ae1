//! NDJSON as bytes: a line that stays is copied as it is.
//!
//! A name that an object lacks is a null of that column, if any object of the file has it. So all
//! names have to be known before the first line is judged. Nearly always the first lines have them
//! all; if another one comes later the pass goes on only to find more of them, and a second one
//! judges.

pub mod json;
pub mod keys;
pub mod scan;
pub mod usual;

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Result, anyhow, bail};

use crate::cli::Wanted;
use crate::csv::classify::Kind;
use crate::failure::Failure;
use crate::files::format::Format;
use crate::files::input::Input;
use crate::files::output::Target;
use crate::findings::{Counts, Findings};
use crate::ndjson::keys::Keys;
use crate::ndjson::scan::{Lines, first_keys};
use crate::ndjson::usual::classes;
use crate::null_values::NullValues;
use crate::pump::pump;
use crate::pump::units::{LONGEST, USUAL, Units};
use crate::rules::Verdict;

const BOM: &[u8] = b"\xef\xbb\xbf";

/// NDJSON to NDJSON.
pub fn clean_ndjson(
    wanted: &Wanted,
    input: &mut Input,
    target: &mut Target,
) -> Result<Findings, Failure> {
    input.keep().map_err(Failure::Input)?;
    let nulls = wanted.given_nulls();
    let (first, bom) = first_names(input).map_err(Failure::Input)?;
    let (mut keys, mut complete) = (first, false);
    loop {
        let resolved = wanted.rules.resolve(keys.names());
        // A column that is not there may yet come, and what was written may have to be taken back.
        let judges = complete || (resolved.is_ok() && target.can_restart());
        let verdict = match resolved {
            Ok(verdict) => verdict,
            Err(error) if judges => return Err(Failure::Input(error)),
            Err(_) => Verdict::strict(),
        };
        let out = judges.then_some(&mut *target);
        let pass = Pass {
            keys: &keys,
            nulls: nulls.as_ref(),
            verdict: &verdict,
        };
        let (counts, unknown) = pass.run(input, bom, out)?;
        if judges && unknown.is_empty() {
            let names = keys.names().to_vec();
            let nulls = nulls.unwrap_or_else(|| NullValues::new(Vec::new()));
            return Ok(Findings {
                names,
                counts,
                nulls,
                verdict,
            });
        }
        if complete {
            return Err(Failure::Input(anyhow!("it changed while it was read")));
        }
        for name in unknown {
            keys.add(&name);
        }
        complete = true;
        if target.can_restart() {
            target.restart().map_err(Failure::Output)?;
        }
    }
}

/// The names in the first lines, and whether there is a byte order mark before them.
fn first_names(input: &Input) -> Result<(Keys, bool)> {
    let mut units = Units::new(input.text(Format::Ndjson)?, USUAL);
    while !units.at_eof() && !units.bytes().contains(&b'\n') && units.bytes().len() < LONGEST {
        units.read()?;
    }
    let bytes = units.bytes();
    let bom = bytes.starts_with(BOM);
    let bytes = if bom { &bytes[BOM.len()..] } else { bytes };
    if units.at_eof() && bytes.trim_ascii().is_empty() {
        bail!("it is empty, expected NDJSON");
    }
    let whole = bytes.iter().rposition(|byte| *byte == b'\n');
    let whole = whole.filter(|_| !units.at_eof()).unwrap_or(bytes.len());
    Ok((first_keys(&bytes[..whole]), bom))
}

/// One time through the file.
struct Pass<'a> {
    keys: &'a Keys,
    nulls: Option<&'a NullValues>,
    verdict: &'a Verdict,
}

impl Pass<'_> {
    /// Writes the lines that stay, if there is a target, as long as no other names come. Gives the
    /// figures, and these names in the order of the file.
    fn run(
        &self,
        input: &Input,
        bom: bool,
        mut target: Option<&mut Target>,
    ) -> Result<(Counts, Vec<Vec<u8>>), Failure> {
        input.rewind().map_err(Failure::Input)?;
        let text = input.text(Format::Ndjson).map_err(Failure::Input)?;
        let mut units = Units::new(text, USUAL);
        if bom {
            let read = units.read();
            read.map_err(|error| Failure::Input(error.into()))?;
            units.skip(BOM.len());
            if let Some(target) = &mut target {
                let written = target.write_all(BOM);
                written.map_err(|error| Failure::Output(error.into()))?;
            }
        }
        let surprised = AtomicBool::new(false);
        let route = Lines {
            classifier: Kind::fastest(),
            classes: classes(),
            keys: self.keys,
            nulls: self.nulls,
            verdict: self.verdict,
            surprised: &surprised,
        };
        let mut put = |bytes: &[u8]| match &mut target {
            Some(target) if !surprised.load(Ordering::Relaxed) => Ok(target.write_all(bytes)?),
            _ => Ok(()),
        };
        let scanners = pump(&route, units, 0, &mut put)?;
        let (mut counts, mut unknown) = (Counts::new(self.keys.count()), Vec::new());
        for scanner in scanners {
            counts.add(&scanner.counts);
            unknown.extend(scanner.unknown);
        }
        // Of one unit they are in order already.
        unknown.sort_by_key(|(unit, _)| *unit);
        Ok((counts, unknown.into_iter().map(|(_, name)| name).collect()))
    }
}
