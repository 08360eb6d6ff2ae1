//! The types that a scalar can have.

/// The types of YAML 1.1's scalars.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Null,
    Bool,
    Int,
    Float,
    Timestamp,
    Binary,
    Str,
    Merge,
    Equals,
}
