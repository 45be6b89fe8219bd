//! Layer 5 of Dragonfly: the gRPC server, its client library and the two programs.
