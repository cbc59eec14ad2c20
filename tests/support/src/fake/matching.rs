//! Which requests, watch events and watches a fault is about.
use super::{
    log::{Entry, Verb},
    store::{EventKind, Key},
};

/// Which requests, events or watches a rule is about. Everything matches until it is narrowed.
#[derive(Debug, Clone, Default)]
pub struct Match {
    verb: Option<Verb>,
    writes: bool,
    group: Option<String>,
    resource: Option<String>,
    /// The empty name stands for the object itself.
    subresource: Option<String>,
    namespace: Option<String>,
    name: Option<String>,
    user_agent: Option<String>,
    event: Option<EventKind>,
    nth: Option<u64>,
    every: Option<u64>,
    times: Option<u64>,
}

impl Match {
    /// Everything.
    pub fn any() -> Self {
        Self::default()
    }

    /// Every writing request.
    pub fn writes() -> Self {
        Self { writes: true, ..Self::default() }
    }

    /// Only this verb.
    #[must_use]
    pub fn verb(self, verb: Verb) -> Self {
        Self { verb: Some(verb), ..self }
    }

    /// Only this kind, as `plural` in any group or as `plural.group`.
    #[must_use]
    pub fn resource(self, name: &str) -> Self {
        match name.split_once('.') {
            Some((plural, group)) => Self { resource: Some(plural.to_owned()), ..self.group(group) },
            None => Self { resource: Some(name.to_owned()), ..self },
        }
    }

    /// Only this API group; the empty name is the core group.
    #[must_use]
    pub fn group(self, group: &str) -> Self {
        Self { group: Some(group.to_owned()), ..self }
    }

    /// Only this subresource; the empty name stands for the object itself.
    #[must_use]
    pub fn subresource(self, name: &str) -> Self {
        Self { subresource: Some(name.to_owned()), ..self }
    }

    /// Only this namespace.
    #[must_use]
    pub fn namespace(self, namespace: &str) -> Self {
        Self { namespace: Some(namespace.to_owned()), ..self }
    }

    /// Only objects of this name.
    #[must_use]
    pub fn name(self, name: &str) -> Self {
        Self { name: Some(name.to_owned()), ..self }
    }

    /// Only clients whose user agent starts so.
    #[must_use]
    pub fn user_agent(self, prefix: &str) -> Self {
        Self { user_agent: Some(prefix.to_owned()), ..self }
    }

    /// Only this kind of watch event; requests do not look at it.
    #[must_use]
    pub fn event(self, kind: EventKind) -> Self {
        Self { event: Some(kind), ..self }
    }

    /// Starts with the n-th match, counted from 1 since the rule was added. Alone it means exactly that match.
    #[must_use]
    pub fn nth(self, n: u64) -> Self {
        Self { nth: Some(n), ..self }
    }

    /// Only each n-th match from the first on.
    #[must_use]
    pub fn every(self, n: u64) -> Self {
        Self { every: Some(n.max(1)), ..self }
    }

    /// At most so often.
    #[must_use]
    pub fn times(self, count: u64) -> Self {
        Self { times: Some(count), ..self }
    }

    /// Whether the count says that this match, the `seen`-th, is meant.
    pub(super) fn due(&self, seen: u64) -> bool {
        let Some(offset) = seen.checked_sub(self.nth.unwrap_or(1)) else {
            return false;
        };
        let every = self.every.unwrap_or(1);
        let limit = match (self.times, self.nth, self.every) {
            (Some(times), _, _) => times,
            (None, Some(_), None) => 1,
            _ => u64::MAX,
        };
        offset.is_multiple_of(every) && offset / every < limit
    }

    pub(super) fn is_request(&self, entry: &Entry) -> bool {
        let same = |wanted: &Option<String>, found: Option<&String>| wanted.is_none() || wanted.as_ref() == found;
        self.verb.is_none_or(|verb| verb == entry.verb)
            && (!self.writes || entry.verb.is_write())
            && same(&self.group, Some(&entry.group))
            && same(&self.resource, Some(&entry.resource))
            && self.subresource.as_ref().is_none_or(|wanted| *wanted == entry.subresource.clone().unwrap_or_default())
            && same(&self.namespace, entry.namespace.as_ref())
            && same(&self.name, entry.name.as_ref())
            && self.is_client(&entry.user_agent)
    }

    pub(super) fn is_event(&self, kind: EventKind, key: &Key) -> bool {
        let same = |wanted: &Option<String>, found: &String| wanted.as_ref().is_none_or(|wanted| wanted == found);
        self.event.is_none_or(|wanted| wanted == kind)
            && same(&self.group, &key.group)
            && same(&self.resource, &key.resource)
            && same(&self.namespace, &key.namespace)
            && same(&self.name, &key.name)
    }

    pub(super) fn is_client(&self, user_agent: &str) -> bool {
        self.user_agent.as_ref().is_none_or(|prefix| user_agent.starts_with(prefix.as_str()))
    }

    /// Whether a watch of this kind and client is meant.
    pub(super) fn is_watch(&self, group: &str, resource: &str, user_agent: &str) -> bool {
        let same = |wanted: &Option<String>, found: &str| wanted.as_ref().is_none_or(|wanted| wanted == found);
        self.is_client(user_agent) && same(&self.group, group) && same(&self.resource, resource)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn due(matching: &Match) -> Vec<u64> {
        (1..=8).filter(|seen| matching.due(*seen)).collect()
    }

    #[test]
    fn matches_are_numbered_from_one() {
        assert_eq!(due(&Match::any()), [1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(due(&Match::any().nth(3)), [3]);
        assert_eq!(due(&Match::any().nth(3).times(2)), [3, 4]);
        assert_eq!(due(&Match::any().times(2)), [1, 2]);
        assert_eq!(due(&Match::any().every(3)), [1, 4, 7]);
    }
}
