//! Recorded venues behind real WebSocket and TLS on loopback.
