//! The custom resources: what a user writes and what the operator answers.
//!
//! Types only: serde, schema, CEL rules, printer columns. No behaviour beyond accessors, no I/O.
//! Adding a kind adds one file here and one line in [`all`].

pub mod agreement;
pub mod calendar;
pub mod figures;
pub mod maintenance;
pub mod report;
pub mod service;
pub mod target;
pub mod term;
pub mod values;

pub use agreement::{ServiceLevelAgreement, ServiceLevelAgreementSpec, ServiceLevelAgreementStatus};
pub use calendar::{ServiceCalendar, ServiceCalendarSpec, ServiceCalendarStatus};
pub use report::{ServiceReport, ServiceReportSpec, ServiceReportStatus};
pub use service::{Service, ServiceSpec, ServiceStatus};

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, JSONSchemaPropsOrArray,
};
use kube::CustomResourceExt;

/// API group of every kind.
pub const GROUP: &str = "assize.dev";
/// Version of every kind.
pub const VERSION: &str = "v1alpha1";

/// The definitions of all kinds, in the order of the documentation.
pub fn all() -> Vec<CustomResourceDefinition> {
    let mut definitions =
        vec![Service::crd(), ServiceLevelAgreement::crd(), ServiceReport::crd(), ServiceCalendar::crd()];
    for definition in &mut definitions {
        // Uninstalling the chart must not take the evidence with it.
        definition.metadata.annotations.get_or_insert_default().insert("helm.sh/resource-policy".into(), "keep".into());
        for version in &mut definition.spec.versions {
            if let Some(schema) = version.schema.as_mut().and_then(|schema| schema.open_api_v3_schema.as_mut()) {
                drop_unknown_formats(schema);
            }
        }
    }
    definitions
}

/// Formats of unsigned numbers are unknown to the API server, which warns of each; `minimum: 0` says the same.
fn drop_unknown_formats(schema: &mut JSONSchemaProps) {
    if schema.format.as_deref().is_some_and(|format| format.starts_with("uint")) {
        schema.format = None;
    }
    for property in schema.properties.iter_mut().flat_map(|properties| properties.values_mut()) {
        drop_unknown_formats(property);
    }
    if let Some(JSONSchemaPropsOrArray::Schema(items)) = &mut schema.items {
        drop_unknown_formats(items);
    }
}
