//! An in-process API server for fault sweeps.
