//! Reading requests: what generated handlers call.
