//! The two wire schemas, generated from `proto/`: clients of other languages use the same files.

/// The original schema, package `orderbook`: doubles, no provenance.
#[allow(
    missing_docs,
    clippy::all,
    clippy::exhaustive_enums,
    unreachable_pub,
    unused_qualifications,
    unnameable_types,
    reason = "generated"
)]
pub mod orderbook {
    tonic::include_proto!("orderbook");
}

/// Package `dragonfly.v1`: exact decimals and the provenance of every image.
#[allow(
    missing_docs,
    clippy::all,
    clippy::exhaustive_enums,
    unreachable_pub,
    unused_qualifications,
    unnameable_types,
    reason = "generated"
)]
pub mod v1 {
    tonic::include_proto!("dragonfly.v1");
}

/// The encoded `FileDescriptorSet` of both schemas.
pub const DESCRIPTORS: &[u8] = tonic::include_file_descriptor_set!("descriptors");
