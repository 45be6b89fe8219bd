//! Layer 1 of Dragonfly: WebSocket over TLS, recorded captures, and the driver that runs a feed over them.
