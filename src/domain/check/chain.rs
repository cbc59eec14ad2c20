//! What the agreements of a set promise each other: references that lead nowhere, and what the chain of each gives.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::references::Checker;
use super::{Object, Severity, Spec};
use crate::api::values::SharedReference;
use crate::domain::agreement::Terms;
use crate::domain::calendar_spec::read_spec;
use crate::domain::chain::{AgreementKey, Landscape, chain_of};
use crate::domain::conditions::ConditionStatus;
use crate::domain::report::Calendars;
use crate::domain::service::ServiceRules;
use crate::domain::time::Instant;
use crate::domain::version::{Version, Versions};

/// The valid objects of a set, as rules.
struct Files {
    agreements: BTreeMap<AgreementKey, (usize, Arc<Terms>)>,
    services: BTreeMap<(Arc<str>, Arc<str>), Shared>,
    calendars: Calendars,
}

/// The rules of a Service, and the namespaces that may refer to it.
struct Shared {
    rules: Arc<ServiceRules>,
    with: Vec<String>,
}

impl Files {
    fn of(objects: &[Object]) -> Self {
        let mut files = Self { agreements: BTreeMap::new(), services: BTreeMap::new(), calendars: Calendars::new() };
        for (index, object) in objects.iter().enumerate() {
            let namespace: Arc<str> = object.identity.namespace.as_deref().unwrap_or_default().into();
            let name: Arc<str> = object.identity.name.as_str().into();
            match &object.spec {
                Some(Spec::Agreement(spec)) => {
                    if let Ok(terms) = Terms::from_spec(spec) {
                        files.agreements.insert(AgreementKey { namespace, name }, (index, Arc::new(terms)));
                    }
                }
                Some(Spec::Service(spec)) => {
                    if let Ok(rules) = ServiceRules::from_spec(spec) {
                        let shared = Shared { rules: Arc::new(rules), with: spec.shared_with.clone() };
                        files.services.insert((namespace, name), shared);
                    }
                }
                Some(Spec::Calendar(spec)) => {
                    if let Ok(calendar) = read_spec(spec) {
                        let version = Version { since: Instant::MIN, digest: "".into(), value: Arc::new(calendar) };
                        files.calendars.insert(name, Versions::starting_with(version));
                    }
                }
                None => {}
            }
        }
        files
    }

    fn is_shared(&self, agreement: &AgreementKey, terms: &Terms, from: &str) -> bool {
        let service = (agreement.namespace.clone(), terms.service.clone());
        *agreement.namespace == *from
            || self.services.get(&service).is_some_and(|shared| shared.with.iter().any(|to| to == "*" || to == from))
    }
}

impl Landscape for Files {
    fn terms(&self, agreement: &AgreementKey, from: &str) -> Option<Arc<Terms>> {
        let (_, terms) = self.agreements.get(agreement)?;
        self.is_shared(agreement, terms, from).then(|| terms.clone())
    }

    fn rules(&self, namespace: &str, service: &str) -> Option<Arc<ServiceRules>> {
        self.services.get(&(namespace.into(), service.into())).map(|shared| shared.rules.clone())
    }

    fn calendars(&self) -> &Calendars {
        &self.calendars
    }
}

/// Checks the references to agreements, and what the chains give; hours are compared from `now` on.
pub(super) fn check(checker: &mut Checker<'_>, now: Instant) {
    let files = Files::of(checker.objects);
    for (index, object) in checker.objects.iter().enumerate() {
        let namespace: Arc<str> = object.identity.namespace.as_deref().unwrap_or_default().into();
        match &object.spec {
            Some(Spec::Agreement(spec)) => {
                for (place, reference) in spec.underpinned_by.iter().enumerate() {
                    checker.promise(&files, index, &namespace, format!("spec.underpinnedBy[{place}].name"), reference);
                }
            }
            Some(Spec::Service(spec)) => {
                for (place, dependency) in spec.dependencies.iter().enumerate() {
                    let Some(reference) = &dependency.agreement else { continue };
                    let field = format!("spec.dependencies[{place}].agreement.name");
                    checker.promise(&files, index, &namespace, field, reference);
                }
            }
            _ => {}
        }
    }
    for (key, (index, terms)) in &files.agreements {
        let finding = chain_of(key, terms, &files, now).judge().finding;
        // What promises nothing is no mistake, and what is missing is told above.
        if finding.status == ConditionStatus::True || finding.reason == "NoObjective" {
            continue;
        }
        let field = match finding.reason {
            "WeakestLink" | "ChainProduct" => format!("spec.targets[{}].objective", terms.headline),
            "HoursNotCovered" => "spec.serviceHours".to_owned(),
            "ExpiresBefore" => "spec.term".to_owned(),
            _ => "spec.underpinnedBy".to_owned(),
        };
        checker.add(*index, Severity::Warning, field, format!("{}: {}", finding.reason, finding.message));
    }
}

impl Checker<'_> {
    fn promise(
        &mut self,
        files: &Files,
        index: usize,
        namespace: &Arc<str>,
        field: String,
        reference: &SharedReference,
    ) {
        let key = AgreementKey::of(reference, namespace);
        let (there, name) = (&key.namespace, &key.name);
        if self.find("ServiceLevelAgreement", Some(there), name).is_none() {
            self.missing(index, field, &format!("ServiceLevelAgreement {there}/{name}"));
            return;
        }
        let Some((_, terms)) = files.agreements.get(&key) else { return };
        if files.services.contains_key(&(there.clone(), terms.service.clone()))
            && !files.is_shared(&key, terms, namespace)
        {
            let message = format!(
                "ServiceLevelAgreement {there}/{name} is not shared with {namespace}; add {namespace} to the \
                 sharedWith of its Service {}",
                terms.service
            );
            self.add(index, Severity::Error, field, message);
        }
    }
}
