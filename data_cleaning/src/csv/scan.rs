//! Finds the records of a CSV file and decides on each, 64 bytes at a time.
//!
//! The bytes are turned into bit masks, one bit for each byte, and the masks say all that is to be
//! known of a field that is neither empty nor begins like a null value. It works as if the
//! file was one text: wherever the bytes are cut, the last bits of one block are carried to the next.

use anyhow::anyhow;

use crate::counts::Counts;
use crate::csv::Failure;
use crate::csv::classify::{Classifier, Masks};
use crate::csv::field::{bytes_needed, find_null};
use crate::csv::malformed::{self, CARRIAGE_RETURN, QUOTE_INSIDE, TEXT_AFTER_QUOTE};
use crate::null_values::NullValues;
use crate::rules::Verdict;

/// The bytes that are looked at together.
pub(crate) const BLOCK: usize = 64;

const LAST_BIT: u64 = 1 << 63;

/// How the records of a file are judged.
#[derive(Clone, Copy)]
pub(crate) struct Judge<'a> {
    pub(crate) delimiter: u8,
    pub(crate) nulls: &'a NullValues,
    pub(crate) verdict: &'a Verdict,
    /// Whether rows with more or fewer fields than the header go like those with nulls, instead of
    /// being an error.
    pub(crate) drop_ragged: bool,
}

/// Takes the records out that do not stay.
pub(crate) trait Cut {
    /// Takes out what lies between these two places, in bytes from the start of the file.
    ///
    /// Comes in the order of the file.
    fn cut(&mut self, start: u64, end: u64) -> Result<(), Failure>;
}

pub(crate) struct Scanner<'a> {
    judge: Judge<'a>,
    tally: Tally,
    state: State,
}

/// What is counted.
struct Tally {
    counts: Counts,
    /// Place, column and number of each null that has been counted in a record whose end has not
    /// been seen, to take them back if it is ragged. Empty if such records are an error.
    found: Vec<(u64, usize, usize)>,
}

/// Where in the file the next block begins, and what it follows on.
///
/// Small and apart from all else, so that it stays in the processor's registers.
#[derive(Clone, Copy)]
struct State {
    /// Where the next block begins, in bytes from the start of the file.
    offset: u64,
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

/// The record that the next byte belongs to.
#[derive(Clone, Copy)]
struct Record {
    start: u64,
    line: u64,
    /// The fields that have ended.
    fields: usize,
    /// The nulls so far in columns that count.
    nulls: usize,
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
    pub(crate) fn new(judge: Judge<'a>, columns: usize) -> Self {
        let counts = Counts::new(columns);
        let found = Vec::new();
        Self {
            judge,
            tally: Tally { counts, found },
            state: State::new(0, 0),
        }
    }

    /// Goes on with the record at `offset`, which is after so many line feeds.
    pub(crate) fn begin(&mut self, offset: u64, lines: u64) {
        self.state = State::new(offset, lines);
    }

    /// How many bytes after a block have to be known, as long as the file goes on.
    pub(crate) fn lookahead(&self) -> usize {
        bytes_needed(self.judge.nulls)
    }

    /// Where the next block begins, in bytes from the start of the file.
    pub(crate) fn offset(&self) -> u64 {
        self.state.offset
    }

    /// The line feeds before the next block.
    pub(crate) fn lines(&self) -> u64 {
        self.state.lines
    }

    /// Where the record begins that the next block continues or begins.
    pub(crate) fn record_start(&self) -> u64 {
        self.state.record.start
    }

    /// Looks through all blocks in `bytes` that have the [lookahead](Self::lookahead) after them,
    /// or, if the file `ended` with these bytes, through all.
    ///
    /// `bytes` begins at the [offset](Self::offset).
    #[inline(always)]
    pub(crate) fn scan(
        &mut self,
        classifier: &impl Classifier,
        mut bytes: &[u8],
        ended: bool,
        cut: &mut impl Cut,
    ) -> Result<(), Failure> {
        let lookahead = if ended { 0 } else { self.lookahead() };
        let mut state = self.state;
        while let Some((block, rest)) = bytes.split_first_chunk::<BLOCK>()
            && rest.len() >= lookahead
        {
            let masks = classifier.classify(block);
            self.block(&mut state, masks, BLOCK, bytes, cut)?;
            bytes = rest;
        }
        if ended && !bytes.is_empty() {
            let mut block = [0; BLOCK];
            block[..bytes.len()].copy_from_slice(bytes);
            let masks = up_to(bytes.len(), classifier.classify(&block));
            self.block(&mut state, masks, bytes.len(), bytes, cut)?;
        }
        self.state = state;
        Ok(())
    }

    /// Takes the next block, the first `size` of the `bytes`.
    #[inline(always)]
    fn block(
        &mut self,
        state: &mut State,
        masks: Masks,
        size: usize,
        bytes: &[u8],
        cut: &mut impl Cut,
    ) -> Result<(), Failure> {
        let quotes = masks.quote;
        let inside = prefix_parity(quotes) ^ state.inside;
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
        let quoted_null = quotes & ((masks.first | quotes) >> 1 | LAST_BIT);
        let record_starts = line_feed << 1 | u64::from(state.record.start == state.offset);
        let block = Block {
            line_feed,
            ends,
            empty: starts
                & (ends | carriage_return)
                & !(record_starts & (line_feed | carriage_return)),
            candidates: starts & (null | quoted_null),
            after_return,
        };

        if misplaced & up_to_bit(size - 1) != 0 {
            return Err(self.malformed(*state, block, masks, misplaced, bytes, cut));
        }
        self.records(state, block, masks, !0, bytes, cut)?;
        if opening & starts != 0 {
            state.quoted = (opening & starts, masks.line_feed, state.lines);
        }
        state.lines += u64::from(masks.line_feed.count_ones());
        let last = size - 1;
        state.inside = (inside >> last & 1).wrapping_neg();
        state.field_start = ends >> last & 1;
        state.after_quote = closing >> last & 1;
        state.after_return = carriage_return >> last & 1;
        state.offset += size as u64;
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
        bytes: &[u8],
        cut: &mut impl Cut,
    ) -> Result<(), Failure> {
        let nulls = self.nulls(state, block, range, bytes);
        let mut record_ends = block.line_feed & range;
        while record_ends != 0 {
            let place = record_ends.trailing_zeros();
            let fields = range & up_to_bit(place as usize);
            state.record.fields += (block.ends & fields).count_ones() as usize;
            state.record.nulls += (nulls & fields).count_ones() as usize;
            let next = Record::new(
                state.offset + u64::from(place) + 1,
                state.lines + 2 + count_before(masks.line_feed, place) as u64,
            );
            let blank = match next.start - state.record.start {
                1 => true,
                2 => block.after_return >> place & 1 == 1,
                _ => false,
            };
            self.end_record(&state.record, blank, next.start, cut)?;
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
    fn nulls(&mut self, state: &State, block: Block, range: u64, bytes: &[u8]) -> u64 {
        let mut looked_at = (block.empty | block.candidates) & range;
        let mut nulls = 0;
        while looked_at != 0 {
            let place = looked_at.trailing_zeros();
            looked_at &= looked_at - 1;
            let marker = if block.empty >> place & 1 == 1 {
                0
            } else {
                let field = &bytes[place as usize..];
                match find_null(field, self.judge.delimiter, self.judge.nulls) {
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
            let offset = state.offset + u64::from(place);
            nulls |= u64::from(self.null(offset, column, marker)) << place;
        }
        nulls
    }

    /// Counts the null at `offset`, and says whether it counts for its record.
    #[inline(always)]
    fn null(&mut self, offset: u64, column: usize, marker: usize) -> bool {
        // A record with so many fields is ragged.
        let Some(nulls) = self.tally.counts.columns.get_mut(column) else {
            return false;
        };
        nulls.add(marker);
        if self.judge.drop_ragged {
            self.tally.found.push((offset, column, marker));
        }
        self.judge.verdict.counts(column)
    }

    /// Decides on a record, which ends at `end`.
    #[inline(always)]
    fn end_record(
        &mut self,
        record: &Record,
        blank: bool,
        end: u64,
        cut: &mut impl Cut,
    ) -> Result<(), Failure> {
        let counts = &mut self.tally.counts;
        let ragged = !blank && record.fields != counts.columns.len();
        if ragged && !self.judge.drop_ragged {
            let error = malformed::ragged(record.line, counts.columns.len(), record.fields);
            return Err(Failure::Input(error));
        }
        counts.rows += u64::from(!blank);
        let keep = !blank && !ragged && self.judge.verdict.keeps(record.nulls);
        if self.judge.drop_ragged {
            self.tally.settle(end, ragged);
        }
        let counts = &mut self.tally.counts;
        if keep {
            counts.kept += 1;
        } else {
            cut.cut(record.start, end)?;
        }
        Ok(())
    }

    /// What is wrong with the first of the `misplaced` bytes, or with a record before it.
    #[cold]
    fn malformed(
        &mut self,
        mut state: State,
        block: Block,
        masks: Masks,
        misplaced: u64,
        bytes: &[u8],
        cut: &mut impl Cut,
    ) -> Failure {
        let place = misplaced.trailing_zeros();
        let before = up_to_bit(place as usize) >> 1;
        if let Err(error) = self.records(&mut state, block, masks, before, bytes, cut) {
            return error;
        }
        let line = state.lines + 1 + count_before(masks.line_feed, place) as u64;
        let what = if block.after_return >> place & 1 == 1 {
            CARRIAGE_RETURN
        } else if masks.quote >> place & 1 == 1 {
            QUOTE_INSIDE
        } else {
            TEXT_AFTER_QUOTE
        };
        Failure::Input(anyhow!("line {line}: {what}"))
    }

    /// Ends the last record, after the last byte of it, or of the file, was [scanned](Self::scan).
    pub(crate) fn end(&mut self, cut: &mut impl Cut) -> Result<(), Failure> {
        let state = self.state;
        if state.inside != 0 {
            let (begun, line_feed, lines) = state.quoted;
            let last = begun.ilog2();
            let line = lines + 1 + count_before(line_feed, last) as u64;
            return Err(Failure::Input(malformed::unclosed(line)));
        }
        if state.after_return != 0 {
            let error = anyhow!("line {}: {CARRIAGE_RETURN}", state.lines + 1);
            return Err(Failure::Input(error));
        }
        // The last line may lack its end.
        if state.record.start < state.offset {
            let mut record = state.record;
            if state.field_start != 0 {
                let counts = self.null(record.start, record.fields, 0);
                record.nulls += usize::from(counts);
            }
            record.fields += 1;
            self.end_record(&record, false, state.offset, cut)?;
        }
        Ok(())
    }

    /// The figures of all records.
    pub(crate) fn into_counts(self) -> Counts {
        self.tally.counts
    }
}

impl Tally {
    /// Counts a record that ends at `end`, if it is ragged.
    fn settle(&mut self, end: u64, ragged: bool) {
        let of_record = self.found.iter().take_while(|(offset, ..)| *offset < end);
        let nulls = of_record.count();
        for (_, column, marker) in self.found.drain(..nulls) {
            if ragged {
                self.counts.columns[column].take_back(marker);
            }
        }
        self.counts.ragged += u64::from(ragged);
    }
}

impl State {
    /// Before the record at `offset`, which is after so many line feeds.
    fn new(offset: u64, lines: u64) -> Self {
        Self {
            offset,
            lines,
            inside: 0,
            field_start: 1,
            after_quote: 0,
            after_return: 0,
            quoted: (0, 0, 0),
            record: Record::new(offset, lines + 1),
        }
    }
}

impl Record {
    fn new(start: u64, line: u64) -> Self {
        Self {
            start,
            line,
            fields: 0,
            nulls: 0,
        }
    }
}

/// The masks of a block of which only the first `size` bytes are those of the file.
fn up_to(size: usize, masks: Masks) -> Masks {
    let there = up_to_bit(size - 1);
    Masks {
        delimiter: masks.delimiter & there,
        line_feed: masks.line_feed & there,
        carriage_return: masks.carriage_return & there,
        quote: masks.quote & there,
        first: masks.first & there,
        // A value of one byte may end where the file does.
        second: masks.second | !there,
    }
}

/// For each bit whether it and those before it have an odd number of ones.
#[inline(always)]
pub(crate) fn prefix_parity(mut bits: u64) -> u64 {
    for shift in [1, 2, 4, 8, 16, 32] {
        bits ^= bits << shift;
    }
    bits
}

/// The bits up to this one, and with it.
#[inline(always)]
fn up_to_bit(bit: usize) -> u64 {
    !0 >> (63 - bit)
}

/// How many of the bits before this one are set.
#[inline(always)]
fn count_before(bits: u64, bit: u32) -> usize {
    (bits & ((1 << bit) - 1)).count_ones() as usize
}
