//! The chain: whether an agreement can be kept with what the agreements promise that it rests on.
//!
//! Only arithmetic on objectives, exact, under the assumption that failures are independent of each other. The own
//! components are not in the product: they are what is measured.

mod link;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::api::values::SharedReference;

use super::agreement::Terms;
use super::conditions::Finding;
use super::decimal::Decimal;
use super::limits::CYCLE_NAMES;
use super::probability::Probability;
use super::report::{Calendars, hours_within};
use super::service::{DependencyRules, ServiceRules};
use super::time::{DAY_MS, Instant, Interval};

use link::{Link, Promise};

/// Type of the condition.
const KIND: &str = "TargetsSupported";
/// How far the service hours of two agreements are compared: every holiday of a year.
const COMPARED_MS: i64 = 366 * DAY_MS;

/// Namespace and name of an agreement.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AgreementKey {
    /// Its namespace.
    pub namespace: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
}

impl AgreementKey {
    /// What a reference of an object of `namespace` names.
    pub fn of(reference: &SharedReference, namespace: &Arc<str>) -> Self {
        let there = reference.namespace.as_ref().map_or_else(|| namespace.clone(), |name| name.as_str().into());
        Self { namespace: there, name: reference.name.as_str().into() }
    }
}

/// Where agreements and Services are looked up: in the cluster, or among files.
pub trait Landscape {
    /// The newest valid terms of an agreement, if it exists and is shared with the namespace `from`.
    fn terms(&self, agreement: &AgreementKey, from: &str) -> Option<Arc<Terms>>;
    /// The newest valid rules of a Service.
    fn rules(&self, namespace: &str, service: &str) -> Option<Arc<ServiceRules>>;
    /// The calendars.
    fn calendars(&self) -> &Calendars;
}

/// What an agreement rests on, found and compared.
#[derive(Clone, Debug, PartialEq)]
pub struct Chain {
    own: Promise,
    links: Vec<Link>,
    /// Service hours that are not covered, one sentence an agreement.
    hours: Vec<String>,
    /// Terms that end early.
    expiries: Vec<String>,
    /// What promises no number.
    open: Vec<String>,
    /// The shortest cycle through the agreement.
    cycle: Vec<Arc<str>>,
    /// References of `underpinnedBy` that lead to nothing, by their place.
    pub unresolved: Vec<(usize, AgreementKey)>,
}

/// What is said of a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Support {
    /// The condition `TargetsSupported`.
    pub finding: Finding,
    /// The lowest promise, with its number; none without any.
    pub weakest: Option<String>,
}

/// Finds what an agreement rests on. Hours are compared from `from` on for a year.
pub fn chain_of(key: &AgreementKey, terms: &Terms, landscape: &dyn Landscape, from: Instant) -> Chain {
    let mut chain = Chain {
        own: Promise { name: key.name.clone(), objective: Decimal::ZERO },
        links: Vec::new(),
        hours: Vec::new(),
        expiries: Vec::new(),
        open: Vec::new(),
        cycle: cycle_through(key, landscape),
        unresolved: Vec::new(),
    };
    match objective_of(terms) {
        Some(objective) => chain.own.objective = objective,
        None => chain.open.push(format!("{} itself has no objective", key.name)),
    }
    let rules = rules_beneath(key, terms, landscape);
    let mut found: Vec<(AgreementKey, Arc<Terms>)> = Vec::new();
    for (need, members) in rules.iter().flat_map(|rules| groups(rules)) {
        // All of them are looked up, so that none is taken for a link of its own below.
        let members: Vec<Option<Promise>> = members
            .into_iter()
            .map(|dependency| {
                let (other, promised) = chain.find(dependency, key, landscape, &mut found)?;
                chain.promise(&other, &promised)
            })
            .collect();
        let members: Option<Vec<Promise>> = members.into_iter().collect();
        chain.links.extend(members.map(|members| Link::Group { need, members }));
    }
    let grouped = found.len();
    for (place, reference) in terms.underpinned_by.iter().enumerate() {
        let other = AgreementKey::of(reference, &key.namespace);
        if other == *key || found.iter().any(|(known, _)| *known == other) {
            continue;
        }
        match landscape.terms(&other, &key.namespace) {
            Some(promised) => found.push((other, promised)),
            None => chain.unresolved.push((place, other)),
        }
    }
    for dependency in rules.iter().flat_map(|rules| serial(rules)) {
        chain.find(dependency, key, landscape, &mut found);
    }
    for (other, promised) in &found[grouped..] {
        let promise = chain.promise(other, promised);
        chain.links.extend(promise.map(Link::One));
    }
    for (_, other) in &chain.unresolved {
        chain.open.push(format!("{}/{} was not found", other.namespace, other.name));
    }
    for (other, promised) in &found {
        chain.compare_terms(terms, &other.name, promised, landscape.calendars(), from);
    }
    chain
}

/// The rules whose dependencies an agreement rests on: of its Service, unless it is itself what one of these
/// dependencies promises. A contract with a supplier is about the Service that relies on the supplier.
fn rules_beneath(key: &AgreementKey, terms: &Terms, landscape: &dyn Landscape) -> Option<Arc<ServiceRules>> {
    let rules = landscape.rules(&key.namespace, &terms.service)?;
    let mut promised = rules.dependencies.iter().filter_map(|dependency| dependency.agreement.as_ref());
    let is_one = promised.any(|reference| AgreementKey::of(reference, &key.namespace) == *key);
    (!is_one).then_some(rules)
}

/// The objective of the target whose budget is shown.
fn objective_of(terms: &Terms) -> Option<Decimal> {
    terms.targets.get(terms.headline).and_then(|target| target.yardstick.objective)
}

/// The groups that dependencies take part in: how many of them are needed, with the own components taken as working.
fn groups(rules: &ServiceRules) -> impl Iterator<Item = (usize, Vec<&DependencyRules>)> {
    rules.groups.iter().filter_map(|group| {
        let members: Vec<&DependencyRules> = group
            .members
            .iter()
            .filter_map(|member| rules.dependencies.get(member.checked_sub(rules.components.len())?))
            .collect();
        let need = group.need.saturating_sub(group.members.len() - members.len());
        (need > 0 && !members.is_empty()).then_some((need, members))
    })
}

/// The dependencies that each have to stand: the service cannot do without them, and no group replaces them.
fn serial(rules: &ServiceRules) -> impl Iterator<Item = &DependencyRules> {
    let in_group =
        |index: usize| rules.groups.iter().any(|group| group.members.contains(&(rules.components.len() + index)));
    rules
        .dependencies
        .iter()
        .enumerate()
        .filter(move |(index, rules)| rules.needed && !in_group(*index))
        .map(|(_, d)| d)
}

impl Chain {
    /// The agreement of a dependency. One that was not known yet is added to `found`; what is missing is noted.
    fn find(
        &mut self,
        dependency: &DependencyRules,
        key: &AgreementKey,
        landscape: &dyn Landscape,
        found: &mut Vec<(AgreementKey, Arc<Terms>)>,
    ) -> Option<(AgreementKey, Arc<Terms>)> {
        let name = &dependency.name;
        let Some(reference) = &dependency.agreement else {
            let service = dependency.service.as_ref().map(|service| AgreementKey::of(service, &key.namespace));
            let is_covered = service.is_some_and(|service| {
                let about = |other: &AgreementKey, terms: &Terms| {
                    other.namespace == service.namespace && *terms.service == *service.name
                };
                found.iter().any(|(other, terms)| about(other, terms))
            });
            if !is_covered {
                self.open.push(format!("dependency {name} has no agreement"));
            }
            return None;
        };
        let other = AgreementKey::of(reference, &key.namespace);
        if other == *key {
            return None;
        }
        if let Some(known) = found.iter().find(|(known, _)| *known == other) {
            return Some(known.clone());
        }
        let Some(terms) = landscape.terms(&other, &key.namespace) else {
            self.open.push(format!("dependency {name}: {}/{} was not found", other.namespace, other.name));
            return None;
        };
        found.push((other.clone(), terms.clone()));
        Some((other, terms))
    }

    /// What an agreement promises; one that promises nothing is noted.
    fn promise(&mut self, key: &AgreementKey, terms: &Terms) -> Option<Promise> {
        let objective = objective_of(terms);
        if objective.is_none() {
            self.open.push(format!("{} has no objective", key.name));
        }
        Some(Promise { name: key.name.clone(), objective: objective? })
    }

    /// Notes where the hours or the term of an agreement do not reach.
    fn compare_terms(&mut self, own: &Terms, name: &str, other: &Terms, calendars: &Calendars, from: Instant) {
        let (zone, own_name) = (&own.period.zone, self.own.name.clone());
        if other.end() < own.end() {
            let ends = match own.end() {
                Instant::MAX => "which has no end".to_owned(),
                end => format!("which ends at {}", end.format_in(zone)),
            };
            self.expiries.push(format!("{name} ends at {}, before {own_name}, {ends}", other.end().format_in(zone)));
        }
        let begin = from.max(own.begins().unwrap_or(from));
        let end = begin.plus_ms(COMPARED_MS).min(own.end()).min(other.end());
        if let Some(span) = Interval::new(begin, end)
            && let Some(at) = first_uncovered(own, other, calendars, span)
        {
            let at = at.format_in(zone);
            self.hours.push(format!("the service hours of {name} do not cover those of {own_name} at {at}"));
        }
    }

    /// Judges the chain.
    pub fn judge(&self) -> Support {
        let own = Probability::of_percent(self.own.objective);
        let mut values: Vec<(Probability, &Link)> = self.links.iter().map(|link| (link.value(), link)).collect();
        values.sort_by(|(one, link), (two, other)| one.cmp(two).then_with(|| link.name().cmp(other.name())));
        let product = values.iter().fold(Probability::one(), |product, (value, _)| product.and(value));
        let weak: Vec<String> = values
            .iter()
            .filter(|(value, _)| *value < own)
            .map(|(_, link)| format!("{} < {}", link.text(), self.own.text()))
            .collect();
        let factors: Vec<String> = self.links.iter().map(Link::factor).collect();
        let equation = format!("{} = {}", product.percent(), factors.join(" × "));
        let mut reasons: Vec<(&'static str, String)> = Vec::new();
        if !weak.is_empty() {
            let product = (self.links.len() > 1).then_some(equation);
            reasons.push(("WeakestLink", weak.into_iter().chain(product).collect::<Vec<_>>().join("; ")));
        } else if product < own {
            reasons.push(("ChainProduct", format!("{equation} < {}", self.own.text())));
        }
        reasons.extend(self.hours.iter().map(|text| ("HoursNotCovered", text.clone())));
        reasons.extend(self.expiries.iter().map(|text| ("ExpiresBefore", text.clone())));
        let broken = reasons.len();
        reasons.extend(self.open.iter().map(|text| ("NoObjective", text.clone())));
        if !self.cycle.is_empty() {
            reasons.push(("DependencyCycle", shown_cycle(&self.cycle)));
        }
        let weakest = values.first().map(|(_, link)| link.text());
        let message = reasons.iter().map(|(_, text)| text.as_str()).collect::<Vec<_>>().join("; ");
        let finding = match reasons.first() {
            Some((reason, _)) if broken > 0 => Finding::no(KIND, reason, message),
            Some((reason, _)) => Finding::unknown(KIND, reason, message),
            None if self.links.is_empty() => Finding::yes(KIND, "Supported", "it rests on no other agreement"),
            None => Finding::yes(KIND, "Supported", format!("{} >= {}", product.percent(), self.own.objective)),
        };
        Support { finding, weakest }
    }
}

/// The first instant of a span in the hours of one agreement and not in those of the other.
fn first_uncovered(own: &Terms, other: &Terms, calendars: &Calendars, span: Interval) -> Option<Instant> {
    let there = other.calendar.as_ref().filter(|name| calendars.contains_key(*name))?;
    if own.calendar.as_ref() == Some(there) {
        return None;
    }
    let wanted = hours_within(calendars, own.calendar.as_ref(), span);
    let covered = hours_within(calendars, Some(there), span);
    let mut next = covered.iter().peekable();
    for hours in &wanted {
        let mut from = hours.from;
        while from < hours.to {
            while next.next_if(|open| open.to <= from).is_some() {}
            match next.peek().filter(|open| open.from <= from) {
                Some(open) => from = open.to,
                None => return Some(from),
            }
        }
    }
    None
}

/// Agreements that an agreement rests on, of those that are found.
fn rests_on(key: &AgreementKey, landscape: &dyn Landscape, from: &str) -> Vec<AgreementKey> {
    let Some(terms) = landscape.terms(key, from) else { return Vec::new() };
    let rules = rules_beneath(key, &terms, landscape);
    let of_rules = |rules: &Arc<ServiceRules>| -> Vec<SharedReference> {
        let needed = groups(rules).flat_map(|(_, members)| members).chain(serial(rules));
        needed.filter_map(|dependency| dependency.agreement.clone()).collect()
    };
    let named = terms.underpinned_by.iter().cloned().chain(rules.iter().flat_map(of_rules));
    named.map(|reference| AgreementKey::of(&reference, &key.namespace)).collect()
}

/// The names of the shortest cycle through an agreement, from itself on; empty if there is none.
fn cycle_through(start: &AgreementKey, landscape: &dyn Landscape) -> Vec<Arc<str>> {
    let mut came_from: BTreeMap<AgreementKey, AgreementKey> = BTreeMap::new();
    let mut waiting: VecDeque<(AgreementKey, Arc<str>)> = VecDeque::from([(start.clone(), start.namespace.clone())]);
    while let Some((key, from)) = waiting.pop_front() {
        for next in rests_on(&key, landscape, &from) {
            if next == *start {
                let mut names = vec![key.name.clone()];
                let mut at = &key;
                while let Some(before) = came_from.get(at).filter(|_| at != start) {
                    names.push(before.name.clone());
                    at = before;
                }
                names.reverse();
                return names;
            }
            if !came_from.contains_key(&next) {
                came_from.insert(next.clone(), key.clone());
                waiting.push_back((next, key.namespace.clone()));
            }
        }
    }
    Vec::new()
}

/// A cycle in words, shortened.
fn shown_cycle(names: &[Arc<str>]) -> String {
    let mut shown: Vec<&str> = names.iter().take(CYCLE_NAMES).map(AsRef::as_ref).collect();
    shown.push(if names.len() > CYCLE_NAMES { "…" } else { &names[0] });
    shown.join(" → ")
}
