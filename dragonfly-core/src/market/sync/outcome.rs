//! What becomes of updates.

/// What an update did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// The book is `Live` and may have changed.
    Live,
    /// The book has entered a state in which it cannot be trusted, and will recover by itself.
    Withdrawn,
    /// The book has been withdrawn, or has never been complete, and must be asked for again.
    Renew,
    /// The update is kept for later, or of no use in this state, or was there before; nothing changed.
    Ignored,
    /// The update is older than the book, where the venue sends what is newer: nothing changed, but one
    /// of the two is wrong.
    Old,
}

/// What has happened to a book since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SyncStats {
    /// Updates offered, whatever became of them.
    pub updates: u64,
    /// Updates that were out of date.
    pub old: u64,
    /// Holes found in the sequence.
    pub gaps: u64,
    /// Checksums that did not match.
    pub checksum_failures: u64,
}
