//! Layer 4 of Dragonfly: the consolidated book over venues and the liquidity summed by price.
