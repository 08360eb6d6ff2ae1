//! What to record of a path, once the step has ended.

use crate::content::Hash;
use crate::files::{ALWAYS_HASHED, Files};
use crate::progress::{Progress, Stopped};
use crate::tree::{Difference, Entry, Item, Known, Seen, Spot};

/// What was at a path before the step started, with its hash as far as it is known.
#[derive(Debug)]
pub(crate) struct Before {
    pub(crate) item: Item,
    pub(crate) hash: Option<Hash>,
}

/// What is recorded of a file whose content at the start nobody knows.
pub(crate) const CHANGED: &str = "changed while the step ran";

/// What to record of something that was there before the step started.
pub(crate) fn settle(
    before: &Before,
    now: &Seen,
    files: &Files,
    progress: &mut Progress,
) -> Result<Entry, Stopped> {
    let mut file = |then: &Spot, now: &Spot| settle_file(before, then, now, files, progress);
    let entry = match (&before.item.seen, now) {
        (Seen::File(then), Seen::File(now)) => file(then, now).map(Entry::File),
        (Seen::Folder, Seen::Folder) => Ok(Entry::Folder),
        (Seen::Missing, Seen::Missing) => Ok(Entry::Missing),
        (Seen::Link(then, None), Seen::Link(now, None)) if then == now => {
            Ok(Entry::Link(now.clone(), None))
        }
        (Seen::Link(to, Some(then)), Seen::Link(still, Some(now))) if to == still => {
            file(then, now).map(|known| Entry::Link(to.clone(), Some(known)))
        }
        (Seen::Odd(why), _) => Err(Difference::Unsettled(why.clone())),
        _ => Err(Difference::Changed),
    };
    recorded(entry)
}

/// Makes an entry of what nobody can tell, too.
fn recorded(entry: Result<Entry, Difference>) -> Result<Entry, Stopped> {
    match entry {
        Ok(entry) => Ok(entry),
        Err(Difference::Interrupted) => Err(Stopped),
        Err(Difference::Unsettled(why)) => Ok(Entry::Unsettled(why)),
        Err(_) => Ok(Entry::Unsettled(CHANGED.into())),
    }
}

fn settle_file(
    before: &Before,
    then: &Spot,
    now: &Spot,
    files: &Files,
    progress: &mut Progress,
) -> Result<Known, Difference> {
    let is_same = then.stat == now.stat && then.is_settled;
    let by_thread = || {
        files
            .known(then.device, then.stat)
            .filter(|_| then.is_settled)
    };
    let known = before.hash.or_else(by_thread);
    match known {
        Some(hash) if is_same => return Ok(Known(Some(now.stat), Some(hash))),
        None if !is_same => return Err(Difference::Changed),
        None if is_too_large(now, files) => return Ok(Known(Some(now.stat), None)),
        _ => {}
    }
    let hashed = files.hash(&before.item.path, now.device, now.stat, progress)?;
    let is_as_before = match known {
        Some(hash) => hashed.hash == hash,
        None => hashed.stat == then.stat,
    };
    if !is_as_before {
        return Err(Difference::Changed);
    }
    let stat = hashed.is_settled.then_some(hashed.stat);
    Ok(Known(stat, Some(hashed.hash)))
}

pub(crate) fn is_too_large(spot: &Spot, files: &Files) -> bool {
    spot.stat.size() > ALWAYS_HASHED
        && !files.hashes_all()
        && files.known(spot.device, spot.stat).is_none()
}

/// What to record of something that the step has made.
pub(crate) fn made(
    item: &Item,
    old: Option<&Entry>,
    files: &Files,
    progress: &mut Progress,
) -> Result<Entry, Stopped> {
    let old = old.and_then(Entry::known).copied();
    let mut file = |spot: &Spot| -> Result<Known, Difference> {
        match old {
            // The step has left it as it was.
            Some(known @ Known(Some(stat), Some(_))) if stat == spot.stat => return Ok(known),
            _ if is_too_large(spot, files) => {
                return Ok(Known(spot.is_settled.then_some(spot.stat), None));
            }
            _ => {}
        }
        let hashed = files.hash(&item.path, spot.device, spot.stat, progress)?;
        let stat = hashed.is_settled.then_some(hashed.stat);
        Ok(Known(stat, Some(hashed.hash)))
    };
    recorded(match &item.seen {
        Seen::File(spot) => file(spot).map(Entry::File),
        Seen::Folder => Ok(Entry::Folder),
        Seen::Link(to, None) => Ok(Entry::Link(to.clone(), None)),
        Seen::Link(to, Some(spot)) => file(spot).map(|it| Entry::Link(to.clone(), Some(it))),
        Seen::Missing => Ok(Entry::Missing),
        Seen::Odd(why) => Err(Difference::Unsettled(why.clone())),
    })
}
