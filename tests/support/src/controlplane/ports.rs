//! Free ports on the loopback address.
use std::{
    collections::HashSet,
    hash::{BuildHasher, RandomState},
    io,
    net::{Ipv4Addr, TcpListener},
    sync::{Mutex, PoisonError},
};

/// Below the range from which systems take the ports of outgoing connections, so that no client takes the port of a
/// component that is stopped for a while.
const FIRST: u16 = 20_000;
const COUNT: u16 = 12_000;
const ATTEMPTS: usize = 200;

/// Ports given out by this process, so that control planes that start at once do not choose the same.
static TAKEN: Mutex<Option<HashSet<u16>>> = Mutex::new(None);

/// A port that nobody listens on now and that this process has not given out before.
pub(super) fn free() -> io::Result<u16> {
    let mut guard = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
    let taken = guard.get_or_insert_default();
    for attempt in 0..ATTEMPTS {
        let port = FIRST + (RandomState::new().hash_one(attempt) % u64::from(COUNT)) as u16;
        if !taken.contains(&port) && TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            taken.insert(port);
            return Ok(port);
        }
    }
    Err(io::Error::new(io::ErrorKind::AddrInUse, format!("no free port found in {ATTEMPTS} attempts")))
}
