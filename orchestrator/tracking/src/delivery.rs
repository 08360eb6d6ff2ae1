//! Sends records in order, and tells what will never be taken.

use super::record::Record;
use super::store::Store;
use super::stored::StoreError;
use super::waiting::Patience;
use process::console::warn;

/// What became of some records.
#[derive(Debug)]
pub(crate) struct Delivered {
    /// So many of the first are dealt with.
    pub done: usize,
    /// So many of these the store has confirmed; it will never take the others.
    pub confirmed: usize,
    /// Why no more were dealt with: the store may take them later.
    pub away: Option<StoreError>,
}

impl Delivered {
    /// Whether nothing is on its way to the store any more.
    pub(crate) fn is_idle(&self) -> bool {
        !matches!(self.away, Some(StoreError::NoAnswer(_)))
    }
}

/// Sends records in order. Those that the store will never take are told and passed over.
pub(crate) fn deliver(store: &mut Store, records: &[Record], patience: Patience) -> Delivered {
    let mut delivered = Delivered {
        done: 0,
        confirmed: 0,
        away: None,
    };
    while delivered.done < records.len() {
        let rest = &records[delivered.done..];
        let (count, error) = match store.send(rest, patience) {
            Ok(()) => (rest.len(), None),
            Err((count, error)) => (count, Some(error)),
        };
        delivered.done += count;
        delivered.confirmed += count;
        let Some(error) = error else { break };
        // An sqlite file takes all or nothing, so the one that it refuses is looked for.
        let error = if error.may_pass() {
            error
        } else {
            match store.send(&rest[count..=count], patience) {
                Ok(()) => {
                    delivered.done += 1;
                    delivered.confirmed += 1;
                    continue;
                }
                Err((_, error)) => error,
            }
        };
        if error.may_pass() {
            delivered.away = Some(error);
            break;
        }
        if !matches!(error, StoreError::UnknownRun) {
            warn(&format!("not recorded: {error}"));
        }
        delivered.done += 1;
    }
    delivered
}
