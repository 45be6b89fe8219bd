//! Layers 2 and 3 of Dragonfly: one file a venue, partial JSON parsing, listener decorators.
