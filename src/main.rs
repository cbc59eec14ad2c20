//! The `assize` command: parses arguments and dispatches; no logic.
fn main() {}
