//! Versions: what was in force when. Time already passed is judged by the version of then.

use std::sync::Arc;

use super::time::{Instant, Interval};

/// One version of a spec, in force from `since` until the next.
#[derive(Debug, PartialEq)]
pub struct Version<T> {
    /// From when it is in force.
    pub since: Instant,
    /// Digest of the spec.
    pub digest: Arc<str>,
    /// The validated spec.
    pub value: Arc<T>,
}

impl<T> Clone for Version<T> {
    fn clone(&self) -> Self {
        Self { since: self.since, digest: self.digest.clone(), value: self.value.clone() }
    }
}

/// The versions of one object, in order of time.
#[derive(Debug, PartialEq)]
pub struct Versions<T> {
    list: Vec<Version<T>>,
}

impl<T> Clone for Versions<T> {
    fn clone(&self) -> Self {
        Self { list: self.list.clone() }
    }
}

impl<T> Default for Versions<T> {
    fn default() -> Self {
        Self { list: Vec::new() }
    }
}

impl<T> Versions<T> {
    /// The history that begins with this version.
    pub fn starting_with(version: Version<T>) -> Self {
        Self { list: vec![version] }
    }

    /// Adds a version unless it is the one in force; returns whether it was new. A version that begins no later than
    /// the last replaces it: nothing was ever judged by the last.
    pub fn accept(&mut self, version: Version<T>) -> bool {
        if self.list.last().is_some_and(|last| last.digest == version.digest) {
            return false;
        }
        while self.list.last().is_some_and(|last| last.since >= version.since) {
            self.list.pop();
        }
        if self.list.last().is_none_or(|last| last.digest != version.digest) {
            self.list.push(version);
        }
        true
    }

    /// All versions, in order.
    pub fn all(&self) -> &[Version<T>] {
        &self.list
    }

    /// The newest version.
    pub fn newest(&self) -> Option<&Version<T>> {
        self.list.last()
    }

    /// The version in force at an instant. The first one also holds for the time before it: an object describes the
    /// world from before it was written down.
    pub fn at(&self, instant: Instant) -> Option<&Version<T>> {
        let after = self.list.partition_point(|version| version.since <= instant);
        self.list.get(after.saturating_sub(1))
    }

    /// The versions in force within a span, each with the part of the span in which it is.
    pub fn within(&self, span: Interval) -> impl Iterator<Item = (Interval, &Version<T>)> {
        self.list.iter().enumerate().filter_map(move |(index, version)| {
            let from = if index == 0 { span.from } else { version.since };
            let to = self.list.get(index + 1).map_or(span.to, |next| next.since);
            Interval::new(from.max(span.from), to.min(span.to)).map(|part| (part, version))
        })
    }

    /// The versions that came into force within `[from, to)`.
    #[must_use]
    pub fn between(&self, from: Instant, to: Instant) -> Self {
        let within = |version: &&Version<T>| from <= version.since && version.since < to;
        Self { list: self.list.iter().filter(within).cloned().collect() }
    }

    /// The same versions, each with another value.
    #[must_use]
    pub fn map<U>(&self, value: impl Fn(&T) -> U) -> Versions<U> {
        let of = |version: &Version<T>| Version {
            since: version.since,
            digest: version.digest.clone(),
            value: Arc::new(value(&version.value)),
        };
        Versions { list: self.list.iter().map(of).collect() }
    }

    /// Forgets the versions that were replaced before `instant`.
    pub fn forget_before(&mut self, instant: Instant) {
        let after = self.list.partition_point(|version| version.since <= instant);
        self.list.drain(..after.saturating_sub(1));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn version(since: i64, digest: &str) -> Version<u8> {
        Version { since: Instant::from_ms(since), digest: digest.into(), value: Arc::new(0) }
    }

    #[test]
    fn each_instant_has_the_version_of_then() {
        let mut versions = Versions::starting_with(version(10, "a"));
        assert!(!versions.accept(version(15, "a")));
        assert!(versions.accept(version(20, "b")));
        let digest = |ms: i64| versions.at(Instant::from_ms(ms)).unwrap().digest.to_string();
        assert_eq!((digest(0), digest(19), digest(20)), ("a".into(), "a".into(), "b".into()));
        let span = Interval::new(Instant::from_ms(5), Instant::from_ms(30)).unwrap();
        let parts: Vec<_> = versions.within(span).map(|(part, v)| (part.length_ms(), v.digest.to_string())).collect();
        assert_eq!(parts, [(15, "a".into()), (10, "b".into())]);
        let at = Instant::from_ms;
        assert_eq!(versions.between(at(10), at(20)), Versions::starting_with(version(10, "a")));
        assert_eq!(versions.between(at(11), at(21)), Versions::starting_with(version(20, "b")));
    }

    #[test]
    fn a_version_that_never_judged_anything_is_replaced() {
        let mut versions = Versions::starting_with(version(10, "a"));
        versions.accept(version(20, "b"));
        assert!(versions.accept(version(20, "a")));
        assert_eq!(versions.all().len(), 1);
    }
}
