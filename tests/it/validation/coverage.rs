//! What of a definition no refused row covers.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, JSONSchemaPropsOrArray,
};

use super::table::Table;

/// A rule or bound at a place: its path without numbers, and words that its error has.
struct Limit {
    path: String,
    error: String,
    is_transition: bool,
}

/// The rules and bounds of the spec that no row covers. A row covers a limit if its field is that place and its message
/// a part of the limit's error.
pub fn missing(definition: &CustomResourceDefinition, table: &Table) -> Vec<String> {
    let schema =
        definition.spec.versions[0].schema.as_ref().and_then(|schema| schema.open_api_v3_schema.as_ref()).unwrap();
    let mut limits = Vec::new();
    collect(schema, "", &mut limits);
    let attempts = table.attempts().into_iter().filter(|attempt| attempt.online);
    let refused: Vec<(String, String)> = attempts
        .filter_map(|attempt| attempt.refused)
        .map(|(field, message)| (without_numbers(&field), message))
        .collect();
    let updates: Vec<&str> = table.updates().iter().filter_map(|update| update.message.as_deref()).collect();
    let uncovered = limits.into_iter().filter(|limit| {
        if limit.is_transition {
            return !updates.iter().any(|message| limit.error.contains(message));
        }
        !refused.iter().any(|(field, message)| *field == limit.path && limit.error.contains(message))
    });
    uncovered.map(|limit| format!("no row for {}: {}", limit.path, limit.error)).collect()
}

fn without_numbers(path: &str) -> String {
    let mut plain = String::new();
    for (index, piece) in path.split('[').enumerate() {
        match piece.split_once(']') {
            Some((_, rest)) if index > 0 => plain.extend(["[]", rest]),
            _ => plain.push_str(piece),
        }
    }
    plain
}

fn collect(schema: &JSONSchemaProps, path: &str, limits: &mut Vec<Limit>) {
    let mut add = |error: String, is_transition| {
        limits.push(Limit { path: path.to_owned(), error, is_transition });
    };
    for rule in schema.x_kubernetes_validations.iter().flatten() {
        add(rule.message.clone().unwrap_or_default(), rule.rule.contains("oldSelf"));
    }
    if let Some(most) = schema.max_length {
        add(format!("Too long: may not be more than {most} bytes"), false);
    }
    if schema.min_length.is_some() {
        add("should be at least 1 chars long".to_owned(), false);
    }
    if let Some(most) = schema.max_items {
        add(format!("must have at most {most} items"), false);
    }
    if schema.min_items.is_some() {
        add("should have at least 1 items".to_owned(), false);
    }
    if let Some(most) = schema.maximum {
        add(format!("should be less than or equal to {most}"), false);
    }
    if let Some(least) = schema.minimum.filter(|least| *least > 0.0) {
        add(format!("should be greater than or equal to {least}"), false);
    }
    if schema.enum_.is_some() {
        add("Unsupported value".to_owned(), false);
    }
    if schema.x_kubernetes_list_type.as_deref() == Some("map") {
        limits.push(Limit { path: format!("{path}[]"), error: "Duplicate value".to_owned(), is_transition: false });
    }
    for name in schema.required.iter().flatten().filter(|_| !path.is_empty()) {
        limits.push(Limit { path: format!("{path}.{name}"), error: "Required value".to_owned(), is_transition: false });
    }
    for (name, property) in schema.properties.iter().flatten() {
        // The status is the operator's own; its bounds are held where it is written.
        if path.is_empty() && name != "spec" {
            continue;
        }
        let inner = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        collect(property, &inner, limits);
    }
    if let Some(JSONSchemaPropsOrArray::Schema(items)) = &schema.items {
        collect(items, &format!("{path}[]"), limits);
    }
}
