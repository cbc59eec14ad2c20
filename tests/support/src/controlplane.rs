//! A real control plane, started and stopped as a whole.
