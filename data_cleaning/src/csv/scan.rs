//! Finds the records in a unit of a CSV file and has each one judged, 64 bytes at a time.
//!
//! The bytes are turned into bit masks, one bit for each byte, and the masks say all that is to be
//! known of a field that is neither empty nor begins like a null value. The last bits of one block are
//! carried to the next.

use crate::csv::classes::Classes;
use crate::csv::classify::masks::{
    Classifier, Masks, Work, count_before, prefix_parity, up_to_bit, without_strays,
};
use crate::csv::classify::{Kind, last_block};
use crate::csv::field::find_null;
use crate::csv::judge::{Judge, Judged, Record};
use crate::failure::{Fault, Malformed};
use crate::findings::Counts;
use crate::pump::units::Kept;

/// The bytes that are looked at together.
pub const BLOCK: usize = 64;

const LAST_BIT: u64 = 1 << 63;

/// Looks through units, and counts.
pub struct Scanner<'a> {
    judge: Judge<'a>,
    /// All bits if there are quotes around fields, else none.
    quoting: u64,
    /// Whether other quotes are text.
    strays: bool,
    judged: Judged<'a>,
}

/// Where in the unit the next block begins, and what it follows on.
///
/// Small and apart from all else, so that it stays in the processor's registers.
#[derive(Clone, Copy)]
struct State {
    /// Where the next block begins.
    offset: usize,
    /// The line feeds before it.
    lines: u64,
    /// All bits if the next block begins within quotes, else none.
    inside: u64,
    /// In the lowest bit, whether the next block begins with a field,
    field_start: u64,
    /// or follows on a closing quote,
    after_quote: u64,
    /// or on a carriage return outside of quotes.
    after_return: u64,
    /// The last block in which a quoted field began: where, its line feeds, and those before it.
    quoted: (u64, u64, u64),
    record: Record,
}

/// What is known of 64 bytes.
#[derive(Clone, Copy)]
struct Block {
    line_feed: u64,
    /// Delimiters and line ends.
    ends: u64,
    /// The fields that have no byte, except the one of a blank line.
    empty: u64,
    /// The fields that may be one of the null values.
    candidates: u64,
    after_return: u64,
}

impl<'a> Scanner<'a> {
    pub fn new(judge: Judge<'a>, columns: usize) -> Self {
        Self {
            quoting: u64::from(judge.dialect.quote.is_some()).wrapping_neg(),
            strays: judge.dialect.quote.is_some() && judge.dialect.stray_quotes,
            judge,
            judged: Judged::new(judge, columns),
        }
    }

    /// Cuts out of the unit what does not stay, and gives the number of its line feeds.
    pub fn run(
        &mut self,
        kind: Kind,
        classes: &Classes,
        unit: &[u8],
        kept: &mut Kept,
    ) -> Result<u64, Malformed> {
        self.judged.begin_unit();
        let scanner = self;
        let scan = Scan {
            scanner,
            unit,
            kept,
        };
        kind.run(classes, scan)
    }

    /// Looks through all blocks of the unit.
    #[inline(always)]
    fn scan<const TRIM: bool>(
        &mut self,
        classifier: &impl Classifier,
        unit: &[u8],
        kept: &mut Kept,
    ) -> Result<u64, Malformed> {
        let mut state = State::new();
        let (blocks, rest) = unit.as_chunks::<BLOCK>();
        for block in blocks {
            let masks = classifier.classify(block);
            self.block::<TRIM>(&mut state, masks, BLOCK, unit, kept)?;
        }
        if !rest.is_empty() {
            let (block, there) = last_block(rest);
            let masks = classifier.classify(&block).only(there);
            self.block::<TRIM>(&mut state, masks, rest.len(), unit, kept)?;
        }
        self.end(&state, unit, kept)?;
        Ok(state.lines)
    }

    /// Takes the next block, of `size` bytes.
    #[inline(always)]
    fn block<const TRIM: bool>(
        &mut self,
        state: &mut State,
        mut masks: Masks,
        size: usize,
        unit: &[u8],
        kept: &mut Kept,
    ) -> Result<(), Malformed> {
        if !TRIM {
            // So that they are not looked for.
            masks.blank = 0;
        }
        let mut quotes = masks.quote & self.quoting;
        let inside = if self.strays && quotes != 0 {
            let before = [state.inside, state.field_start, state.after_quote];
            let inside;
            (quotes, inside) = without_strays(masks, before);
            inside
        } else {
            prefix_parity(quotes) ^ state.inside
        };
        let outside = !inside;
        let carriage_return = masks.carriage_return & outside;
        let line_feed = masks.line_feed & outside;
        let ends = masks.delimiter & outside | line_feed;
        let starts = ends << 1 | state.field_start;
        let (opening, closing) = (quotes & inside, quotes & outside);
        let after_quote = closing << 1 | state.after_quote;
        let after_return = carriage_return << 1 | state.after_return;
        // A quote may open at the start of a field or as the second of a doubled one.
        let misplaced = opening & !(starts | after_quote)
            | after_quote & !(ends | opening | carriage_return)
            | after_return & !line_feed;
        // The second byte is looked at as long as it is in the same block.
        let null = masks.first & (masks.second >> 1 | LAST_BIT);
        let mut value = null;
        let mut within_quotes = masks.first | quotes;
        if TRIM {
            // Behind a blank may come the end, also that of the file, another blank, or what is looked
            // for.
            let there = up_to_bit(size - 1);
            let behind = null | ends | carriage_return | quotes | masks.blank | !there;
            value |= masks.blank & (behind >> 1 | LAST_BIT);
            within_quotes |= masks.blank;
        }
        let in_quotes = quotes & (within_quotes >> 1 | LAST_BIT);
        let record_starts = line_feed << 1 | u64::from(state.record.start == state.offset);
        let block = Block {
            line_feed,
            ends,
            empty: starts
                & (ends | carriage_return)
                & !(record_starts & (line_feed | carriage_return)),
            candidates: starts & (value | in_quotes),
            after_return,
        };

        if misplaced & up_to_bit(size - 1) != 0 {
            return Err(self.malformed(*state, block, masks, misplaced, unit, kept));
        }
        self.records(state, block, masks, !0, unit, kept)?;
        if opening & starts != 0 {
            state.quoted = (opening & starts, masks.line_feed, state.lines);
        }
        state.lines += u64::from(masks.line_feed.count_ones());
        let last = size - 1;
        state.inside = (inside >> last & 1).wrapping_neg();
        state.field_start = ends >> last & 1;
        state.after_quote = closing >> last & 1;
        state.after_return = carriage_return >> last & 1;
        state.offset += size;
        Ok(())
    }

    /// Goes through the records that end in the block, within the bits of `range`.
    #[inline(always)]
    fn records(
        &mut self,
        state: &mut State,
        block: Block,
        masks: Masks,
        mut range: u64,
        unit: &[u8],
        kept: &mut Kept,
    ) -> Result<(), Malformed> {
        let nulls = self.nulls(state, block, range, unit);
        let mut record_ends = block.line_feed & range;
        while record_ends != 0 {
            let place = record_ends.trailing_zeros();
            let fields = range & up_to_bit(place as usize);
            state.record.fields += (block.ends & fields).count_ones() as usize;
            state.record.nulls += (nulls & fields).count_ones() as usize;
            let next = Record::new(
                state.offset + place as usize + 1,
                state.lines + 1 + count_before(masks.line_feed, place) as u64,
            );
            let blank = match next.start - state.record.start {
                1 => true,
                2 => block.after_return >> place & 1 == 1,
                _ => false,
            };
            self.judged
                .end_record(&state.record, blank, next.start, unit, kept)?;
            state.record = next;
            range &= !fields;
            record_ends &= record_ends - 1;
        }
        state.record.fields += (block.ends & range).count_ones() as usize;
        state.record.nulls += (nulls & range).count_ones() as usize;
        Ok(())
    }

    /// Counts the nulls in the bits of `range`, and gives those in columns that count.
    ///
    /// All records of the block at once: a loop for each of them would be one more that the
    /// processor cannot foresee the length of.
    #[inline(always)]
    fn nulls(&mut self, state: &State, block: Block, range: u64, unit: &[u8]) -> u64 {
        let mut looked_at = (block.empty | block.candidates) & range;
        let mut nulls = 0;
        while looked_at != 0 {
            let place = looked_at.trailing_zeros();
            looked_at &= looked_at - 1;
            let marker = if block.empty >> place & 1 == 1 {
                0
            } else {
                let field = &unit[state.offset + place as usize..];
                match find_null(field, &self.judge.dialect, self.judge.nulls) {
                    Some(marker) => marker,
                    None => continue,
                }
            };
            let before = (1 << place) - 1;
            let earlier = block.line_feed & before;
            // The fields before it that are of the same record.
            let column = if earlier == 0 {
                state.record.fields + (block.ends & before).count_ones() as usize
            } else {
                (block.ends & before & !up_to_bit(earlier.ilog2() as usize)).count_ones() as usize
            };
            let offset = state.offset + place as usize;
            nulls |= u64::from(self.judged.null(offset, column, marker)) << place;
        }
        nulls
    }

    /// What is wrong with the first of the `misplaced` bytes, or with a record before it.
    #[cold]
    fn malformed(
        &mut self,
        mut state: State,
        block: Block,
        masks: Masks,
        misplaced: u64,
        unit: &[u8],
        kept: &mut Kept,
    ) -> Malformed {
        let place = misplaced.trailing_zeros();
        let before = up_to_bit(place as usize) >> 1;
        if let Err(error) = self.records(&mut state, block, masks, before, unit, kept) {
            return error;
        }
        let lines = state.lines + count_before(masks.line_feed, place) as u64;
        let fault = if block.after_return >> place & 1 == 1 {
            Fault::CarriageReturn
        } else if masks.quote >> place & 1 == 1 {
            Fault::QuoteInside
        } else {
            Fault::TextAfterQuote
        };
        Malformed::new(lines, fault)
    }

    /// Ends the last record.
    #[inline(always)]
    fn end(&mut self, state: &State, unit: &[u8], kept: &mut Kept) -> Result<(), Malformed> {
        if state.inside != 0 {
            let (begun, line_feed, lines) = state.quoted;
            let lines = lines + count_before(line_feed, begun.ilog2()) as u64;
            return Err(Malformed::new(lines, Fault::Unclosed));
        }
        if state.after_return != 0 {
            return Err(Malformed::new(state.lines, Fault::CarriageReturn));
        }
        // The last line of the file may lack its end.
        if state.record.start < state.offset {
            let mut record = state.record;
            if state.field_start != 0 {
                let counts = self.judged.null(record.start, record.fields, 0);
                record.nulls += usize::from(counts);
            }
            record.fields += 1;
            self.judged
                .end_record(&record, false, state.offset, unit, kept)?;
        }
        Ok(())
    }

    /// The figures of all records.
    pub fn into_counts(self) -> Counts {
        self.judged.into_counts()
    }
}

impl State {
    /// Before the first record.
    fn new() -> Self {
        Self {
            offset: 0,
            lines: 0,
            inside: 0,
            field_start: 1,
            after_quote: 0,
            after_return: 0,
            quoted: (0, 0, 0),
            record: Record::new(0, 0),
        }
    }
}

/// One unit to look through.
struct Scan<'a, 'b, 'c> {
    scanner: &'a mut Scanner<'b>,
    unit: &'a [u8],
    kept: &'a mut Kept<'c>,
}

impl Work for Scan<'_, '_, '_> {
    type Output = Result<u64, Malformed>;

    #[inline(always)]
    fn run(self, classifier: &impl Classifier) -> Self::Output {
        let (scanner, unit, kept) = (self.scanner, self.unit, self.kept);
        if scanner.judge.dialect.trim {
            scanner.scan::<true>(classifier, unit, kept)
        } else {
            scanner.scan::<false>(classifier, unit, kept)
        }
    }
}
