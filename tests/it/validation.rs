//! Accept and reject tables of the kinds: `tests/fixtures/validation/<plural>.yaml`.
//!
//! The rows run against the real API server, and those marked `offline` through the validators that `replay` and the
//! operator share. A third test holds the tables to the definitions: no rule and no bound without a refused row.

mod coverage;
mod table;

use assize::api::{ServiceCalendarSpec, ServiceLevelAgreementSpec, ServiceSpec};
use assize::domain::agreement::Terms;
use assize::domain::calendar_spec::read_spec;
use assize::domain::service::ServiceRules;
use futures::{StreamExt, stream};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, DeleteParams, PostParams};
use kube::core::DynamicObject;
use kube::{Client, ResourceExt};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::cluster::{resource_of, shared};
use table::{Attempt, Offline, Table, Update};

const NAMESPACE: &str = "validation";
const PARALLEL_REQUESTS: usize = 8;

fn tables() -> Vec<(CustomResourceDefinition, Table)> {
    let read = |definition: CustomResourceDefinition| {
        let table = Table::read(&definition.spec.names.plural);
        (definition, table)
    };
    assize::api::all().into_iter().map(read).collect()
}

fn objects_of(client: &Client, definition: &CustomResourceDefinition) -> Api<DynamicObject> {
    let resource = resource_of(definition);
    match definition.spec.scope.as_str() {
        "Namespaced" => Api::namespaced_with(client.clone(), NAMESPACE, &resource),
        _ => Api::all_with(client.clone(), &resource),
    }
}

fn report(wrong: &[String]) {
    assert!(wrong.is_empty(), "{} rows:\n{}", wrong.len(), wrong.join("\n"));
}

#[tokio::test]
async fn the_api_server_accepts_and_refuses_by_the_tables() {
    let cluster = shared().await;
    cluster.namespace(NAMESPACE).await;
    let client = cluster.client();
    let mut wrong = Vec::new();
    for (definition, table) in tables() {
        let objects = objects_of(&client, &definition);
        let attempts: Vec<Attempt> = table.attempts().into_iter().filter(|attempt| attempt.online).collect();
        let answers = stream::iter(attempts.iter().map(|attempt| {
            let object: DynamicObject = serde_json::from_value(attempt.object.clone()).unwrap();
            let objects = objects.clone();
            async move {
                let outcome = objects.create(&PostParams { dry_run: true, ..PostParams::default() }, &object).await;
                judge(attempt, outcome.err().map(|error| error.to_string()))
            }
        }));
        let found: Vec<Option<String>> = answers.buffered(PARALLEL_REQUESTS).collect().await;
        wrong.extend(found.into_iter().flatten().map(|row| format!("{}: {row}", table.kind())));
        for update in table.updates() {
            if let Some(row) = try_update(&objects, &table, update).await {
                wrong.push(format!("{}: {row}", table.kind()));
            }
        }
    }
    report(&wrong);
}

/// What is wrong with the answer to an attempt.
fn judge(attempt: &Attempt, error: Option<String>) -> Option<String> {
    match (&attempt.refused, error) {
        (None, None) => None,
        (None, Some(error)) => Some(format!("{}: refused: {error}", attempt.case)),
        (Some(_), None) => Some(format!("{}: accepted", attempt.case)),
        (Some((field, message)), Some(error)) => {
            let named = field.is_empty() || error.contains(field.as_str());
            (!named || !error.contains(message.as_str()))
                .then(|| format!("{}: want {field}: {message}\n    got {error}", attempt.case))
        }
    }
}

/// A real object goes from one state to another.
async fn try_update(objects: &Api<DynamicObject>, table: &Table, update: &Update) -> Option<String> {
    let mut first: DynamicObject = serde_json::from_value(table.with(&update.before)).unwrap();
    let name = format!("update-{}", first.name_any());
    first.metadata.name = Some(name.clone());
    let created = objects.create(&PostParams::default(), &first).await.unwrap();
    let mut next: DynamicObject = serde_json::from_value(table.with(&update.after)).unwrap();
    next.metadata = created.metadata;
    let mut outcome = objects.replace(&name, &PostParams::default(), &next).await;
    // An operator of another test may have written the status meanwhile.
    while let Err(kube::Error::Api(status)) = &outcome
        && status.is_conflict()
    {
        next.metadata = objects.get(&name).await.unwrap().metadata;
        outcome = objects.replace(&name, &PostParams::default(), &next).await;
    }
    objects.delete(&name, &DeleteParams::default()).await.unwrap();
    let refused = update.message.clone().map(|message| (update.field.clone(), message));
    let attempt = Attempt { case: update.case.clone(), object: Value::Null, refused, offline: None, online: true };
    judge(&attempt, outcome.err().map(|error| error.to_string()))
}

#[test]
fn the_shared_validators_accept_and_refuse_by_the_tables() {
    let mut wrong = Vec::new();
    for (_, table) in tables() {
        for attempt in table.attempts() {
            let Some(offline) = &attempt.offline else { continue };
            let Some(found) = violations(table.kind(), &attempt.object["spec"]) else {
                continue;
            };
            let right = match (&attempt.refused, offline) {
                (None, _) => found.is_empty(),
                (Some((field, message)), offline) => {
                    let message = match offline {
                        Offline::Same => message,
                        Offline::Says(other) => other,
                    };
                    found.iter().any(|violation| violation.starts_with(field.as_str()) && violation.contains(message))
                }
            };
            if !right {
                wrong.push(format!(
                    "{} {}: want {:?} {offline:?}\n    got {found:?}",
                    table.kind(),
                    attempt.case,
                    attempt.refused
                ));
            }
        }
    }
    report(&wrong);
}

/// What the validator of a kind finds; none if the kind has no validator.
fn violations(kind: &str, spec: &Value) -> Option<Vec<String>> {
    fn found<T: DeserializeOwned, R>(
        spec: &Value,
        check: impl Fn(&T) -> Result<R, Vec<assize::domain::violation::Violation>>,
    ) -> Vec<String> {
        match serde_json::from_value::<T>(spec.clone()) {
            Ok(spec) => check(&spec).err().unwrap_or_default().iter().map(ToString::to_string).collect(),
            Err(error) => vec![format!("spec: {error}")],
        }
    }
    Some(match kind {
        "Service" => found::<ServiceSpec, _>(spec, ServiceRules::from_spec),
        "ServiceLevelAgreement" => found::<ServiceLevelAgreementSpec, _>(spec, Terms::from_spec),
        "ServiceCalendar" => found::<ServiceCalendarSpec, _>(spec, read_spec),
        _ => return None,
    })
}

#[test]
fn every_rule_and_every_bound_has_a_refused_row() {
    let mut missing = Vec::new();
    for (definition, table) in tables() {
        missing
            .extend(coverage::missing(&definition, &table).into_iter().map(|row| format!("{}: {row}", table.kind())));
    }
    report(&missing);
}
