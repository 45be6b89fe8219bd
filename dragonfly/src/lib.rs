//! Market-data stream processing.
