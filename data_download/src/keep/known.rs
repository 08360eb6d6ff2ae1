//! What `--if_changed` remembers about the output.

use std::fs;

use anyhow::{Context, Result};

use crate::keep::record::Record;
use crate::output::Place;
use crate::remote::version::Version;

/// The version that is there and came by this `request`, unless somebody changed the file since.
pub fn version(place: &Place, request: &str) -> Option<Version> {
    let data = fs::metadata(place.target()).ok()?;
    let record = Record::load(&place.record(), &data)?;
    let is_intact = record.fits(&Record::of_output(request, Version::default(), &data));
    is_intact.then_some(record.version)
}

/// Remembers where the file that is there now comes from.
pub fn remember(place: &Place, request: &str, version: Version) -> Result<()> {
    let data = fs::metadata(place.target()).with_context(|| place.cannot_write())?;
    Record::of_output(request, version, &data).save(&place.record())
}
