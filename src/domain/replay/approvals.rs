//! What a log approves: changes, their cancellation, and exclusions.

use crate::domain::maintenance::{AgreedExclusion, Announced, ApprovedChange};
use crate::domain::time::Interval;

use super::ReplayError;
use super::event::{Event, EventKind};

/// Whether a change names the Service, as `checkout` or `shop/checkout`. One that names nothing is for it.
fn names_service(services: &[String], namespace: &str, service: &str) -> bool {
    let is_named = |name: &String| match name.split_once('/') {
        Some((other, name)) => other == namespace && name == service,
        None => name == service,
    };
    services.is_empty() || services.iter().any(is_named)
}

/// What the events approve for a Service, in order of time.
pub(super) fn read(events: &[Event], namespace: &str, service: &str) -> Result<Announced, ReplayError> {
    let mut announced = Announced::default();
    // A change of another Service may be cancelled too; nothing follows from it here.
    let mut elsewhere: Vec<&str> = Vec::new();
    for event in events {
        let wrong = |message: String| ReplayError::Line { line: event.line, message };
        match &event.kind {
            EventKind::Change { name, not_before, not_after, expected_outage_ms, services, notified_at } => {
                if !names_service(services, namespace, service) {
                    elsewhere.push(name);
                    continue;
                }
                let span = Interval::new(*not_before, *not_after)
                    .ok_or_else(|| wrong("notAfter: is not after notBefore; swap or correct them".to_owned()))?;
                announced.approve(ApprovedChange {
                    name: name.as_str().into(),
                    approved: event.at,
                    noticed: notified_at.map_or(event.at, |notified| notified.max(event.at)),
                    span,
                    expected_outage_ms: *expected_outage_ms,
                    cancelled: None,
                });
            }
            EventKind::Cancel { name } if elsewhere.contains(&name.as_str()) => {}
            EventKind::Cancel { name } => {
                announced.cancel(name, event.at).map_err(|error| wrong(format!("name: {error}")))?;
            }
            EventKind::Exclusion { from, to, cause, by_customer, by_provider } => {
                let span = Interval::new(*from, *to)
                    .ok_or_else(|| wrong("to: is not after from; swap or correct them".to_owned()))?;
                announced.agree(AgreedExclusion {
                    approved: event.at,
                    span,
                    cause: *cause,
                    by_customer: *by_customer,
                    by_provider: *by_provider,
                    cuts_sum: false,
                });
            }
            _ => {}
        }
    }
    Ok(announced)
}

#[cfg(test)]
mod tests {
    use super::names_service;

    #[test]
    fn a_change_that_names_only_others_is_not_for_this_service() {
        let names = |list: &[&str]| list.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        for (services, expected) in [
            (&[][..], true),
            (&["checkout"], true),
            (&["db", "shop/checkout"], true),
            (&["db"], false),
            (&["other/checkout"], false),
        ] {
            assert_eq!(names_service(&names(services), "shop", "checkout"), expected, "{services:?}");
        }
    }
}
