//! The structural schema of a custom resource, as the API server applies it: types, unknown and missing fields, bounds,
//! and the CEL rules through their twins in `rules`.
//!
//! One walk over the same definition that the cluster holds, so that `assize check` and admission cannot disagree on it.

mod rules;

use std::collections::BTreeSet;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use serde_json::{Map, Value};

use super::violation::Violation;

/// What the API server adds to each object besides the definition's own properties.
const OBJECT_FIELDS: [&str; 3] = ["apiVersion", "kind", "metadata"];

/// Fields of metadata; the definition says only that it is an object.
const METADATA_FIELDS: [&str; 15] = [
    "name",
    "generateName",
    "namespace",
    "labels",
    "annotations",
    "finalizers",
    "ownerReferences",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "managedFields",
    "selfLink",
];

/// Checks an object against the schema of its kind. The status is passed over: the API server drops it from what
/// people apply.
pub fn violations(schema: &JSONSchemaProps, object: &Value) -> Vec<Violation> {
    let mut walk = Walk { found: Vec::new(), misshapen: 0 };
    let Value::Object(fields) = object else {
        return vec![Violation::new("", "is not an object")];
    };
    let known = schema.properties.iter().flatten().map(|(name, _)| name.as_str());
    let known: Vec<&str> = known.chain(OBJECT_FIELDS).collect();
    walk.unknown_fields("", fields, &known);
    if let Some(Value::Object(metadata)) = fields.get("metadata") {
        walk.unknown_fields("metadata", metadata, &METADATA_FIELDS);
    }
    walk.required("", schema, fields);
    for (name, property) in schema.properties.iter().flatten() {
        if let Some(value) = fields.get(name).filter(|_| name != "status" && name != "metadata") {
            walk.node(property, name, value);
        }
    }
    walk.rules_of(schema, "", object);
    walk.found
}

struct Walk {
    found: Vec<Violation>,
    /// How many values have not the type that rules rely on, or are missing.
    misshapen: usize,
}

impl Walk {
    fn add(&mut self, field: impl Into<String>, message: impl Into<String>) {
        self.found.push(Violation::new(field, message));
    }

    fn misshapen(&mut self, field: impl Into<String>, message: impl Into<String>) {
        self.misshapen += 1;
        self.add(field, message);
    }

    fn node(&mut self, schema: &JSONSchemaProps, field: &str, value: &Value) {
        if value.is_null() {
            if schema.nullable != Some(true) {
                self.misshapen(field, "is empty; give it a value or remove it");
            }
            return;
        }
        let before = self.misshapen;
        if schema.x_kubernetes_int_or_string == Some(true) {
            if !value.is_i64() && !value.is_string() {
                self.misshapen(field, format!("is {}; write a whole number or a string", type_of(value)));
            }
        } else {
            self.typed(schema, field, value);
        }
        // A rule may rely on the shape, so it runs only where the shape is right.
        if self.misshapen == before {
            self.rules_of(schema, field, value);
        }
    }

    fn typed(&mut self, schema: &JSONSchemaProps, field: &str, value: &Value) {
        match (schema.type_.as_deref(), value) {
            (Some("object"), Value::Object(fields)) => self.object(schema, field, fields),
            (Some("array"), Value::Array(items)) => self.array(schema, field, items),
            (Some("string"), Value::String(text)) => self.string(schema, field, text),
            (Some("integer"), Value::Number(_)) if value.is_i64() || value.is_u64() => {
                self.number(schema, field, value);
            }
            (Some("number"), Value::Number(_)) => self.number(schema, field, value),
            (Some("boolean"), Value::Bool(_)) | (None, _) => {}
            (Some(wanted), _) => {
                let remedy = match (wanted, value) {
                    ("string", Value::Number(_) | Value::Bool(_)) => format!("put it in quotes: \"{value}\""),
                    ("integer", Value::String(text)) if text.parse::<i64>().is_ok() => {
                        format!("write it without quotes: {text}")
                    }
                    ("string", _) => "write a string".to_owned(),
                    ("integer", _) => "write a whole number".to_owned(),
                    ("boolean", _) => "write true or false".to_owned(),
                    ("array", _) => "write a list".to_owned(),
                    _ => "write fields below it".to_owned(),
                };
                self.misshapen(field, format!("is {}; {remedy}", type_of(value)));
            }
        }
        if let Some(allowed) = &schema.enum_
            && !allowed.iter().any(|one| one.0 == *value)
            && value.is_string()
        {
            let words: Vec<String> = allowed.iter().filter_map(|one| one.0.as_str()).map(str::to_owned).collect();
            let text = value.as_str().unwrap_or_default();
            let near = nearest(text, words.iter().map(String::as_str)).map(|word| format!("did you mean {word}? "));
            let near = near.unwrap_or_default();
            self.add(field, format!("{text:?} is not allowed; {near}write one of {}", words.join(", ")));
        }
    }

    fn object(&mut self, schema: &JSONSchemaProps, field: &str, fields: &Map<String, Value>) {
        let values = match &schema.additional_properties {
            Some(JSONSchemaPropsOrBool::Schema(values)) => Some(values),
            _ => None,
        };
        if let Some(properties) = &schema.properties
            && values.is_none()
            && schema.x_kubernetes_preserve_unknown_fields != Some(true)
        {
            let known: Vec<&str> = properties.keys().map(String::as_str).collect();
            self.unknown_fields(field, fields, &known);
        }
        self.required(field, schema, fields);
        for (name, value) in fields {
            let property = schema.properties.as_ref().and_then(|properties| properties.get(name));
            if let Some(property) = property.or(values.map(|values| &**values)) {
                self.node(property, &join(field, name), value);
            }
        }
    }

    fn unknown_fields(&mut self, field: &str, fields: &Map<String, Value>, known: &[&str]) {
        for name in fields.keys().filter(|name| !known.contains(&name.as_str())) {
            let remedy = match nearest(name, known.iter().copied()) {
                Some(near) => format!("did you mean {near}?"),
                None => "remove it".to_owned(),
            };
            self.add(join(field, name), format!("unknown field; {remedy}"));
        }
    }

    fn required(&mut self, field: &str, schema: &JSONSchemaProps, fields: &Map<String, Value>) {
        for name in schema.required.iter().flatten().filter(|name| !fields.contains_key(*name)) {
            self.misshapen(join(field, name), "is missing; add it");
        }
    }

    fn array(&mut self, schema: &JSONSchemaProps, field: &str, items: &[Value]) {
        let count = items.len() as i64;
        if let Some(least) = schema.min_items.filter(|least| count < *least) {
            self.add(field, format!("has {count} entries; write at least {least}"));
        }
        if let Some(most) = schema.max_items.filter(|most| count > *most) {
            self.add(field, format!("has {count} entries; at most {most} are allowed"));
        }
        if schema.x_kubernetes_list_type.as_deref() == Some("map") {
            let keys = schema.x_kubernetes_list_map_keys.as_deref().unwrap_or_default();
            let mut seen = BTreeSet::new();
            for (index, item) in items.iter().enumerate() {
                let key: Vec<String> = keys.iter().map(|key| item[key].to_string()).collect();
                if !seen.insert(key.join(" ")) {
                    let name = format!("{field}[{index}].{}", keys.join("."));
                    self.add(name, format!("{} occurs twice; rename one", key.join(" ")));
                }
            }
        }
        if let Some(JSONSchemaPropsOrArray::Schema(item_schema)) = &schema.items {
            for (index, item) in items.iter().enumerate() {
                self.node(item_schema, &format!("{field}[{index}]"), item);
            }
        }
    }

    fn string(&mut self, schema: &JSONSchemaProps, field: &str, text: &str) {
        let count = text.chars().count() as i64;
        if schema.min_length.is_some_and(|least| count < least) {
            self.add(field, if count == 0 { "is empty; write something" } else { "is too short" });
        }
        if let Some(most) = schema.max_length.filter(|most| count > *most) {
            self.add(field, format!("has {count} characters; shorten it to {most}"));
        }
    }

    fn number(&mut self, schema: &JSONSchemaProps, field: &str, value: &Value) {
        let number = value.as_f64().unwrap_or_default();
        if let Some(least) = schema.minimum.filter(|least| number < *least) {
            self.add(field, format!("{value} is too small; write {least} or more"));
        }
        if let Some(most) = schema.maximum.filter(|most| number > *most) {
            self.add(field, format!("{value} is too large; write {most} or less"));
        }
    }

    fn rules_of(&mut self, schema: &JSONSchemaProps, field: &str, value: &Value) {
        for rule in schema.x_kubernetes_validations.iter().flatten() {
            if rules::holds(&rule.rule, value) != Some(false) {
                continue;
            }
            let message = rule.message.as_deref().unwrap_or(&rule.rule);
            let (field, message) = locate(schema, field, message);
            self.add(field, message);
        }
    }
}

/// A rule of an object names the field below it at the beginning of its message, `minReady: …`; a root rule may also
/// begin with `metadata.name …`.
fn locate(schema: &JSONSchemaProps, field: &str, message: &str) -> (String, String) {
    if let Some((path, rest)) = message.split_once(": ") {
        let first = path.split('.').next().unwrap_or_default();
        let is_property = schema.properties.as_ref().is_some_and(|properties| properties.contains_key(first));
        if is_property || (field.is_empty() && path == "metadata.name") {
            return (join(field, path), rest.to_owned());
        }
    }
    match message.strip_prefix("metadata.name ").filter(|_| field.is_empty()) {
        Some(rest) => ("metadata.name".to_owned(), rest.to_owned()),
        None => (field.to_owned(), message.to_owned()),
    }
}

fn join(field: &str, name: &str) -> String {
    if field.is_empty() { name.to_owned() } else { format!("{field}.{name}") }
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "empty",
        Value::Bool(_) => "a boolean",
        Value::Number(number) if number.is_f64() => "a number with decimals",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// The known word that is written almost like this one.
pub(super) fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    known
        .map(|candidate| (distance(&word, &candidate.to_lowercase()), candidate))
        .filter(|(edits, candidate)| *edits <= 2 && *edits < candidate.len().div_ceil(2))
        .min_by_key(|(edits, _)| *edits)
        .map(|(_, candidate)| candidate)
}

/// Number of letters to insert, drop, replace or swap with a neighbour.
fn distance(left: &str, right: &str) -> usize {
    let (left, right): (Vec<char>, Vec<char>) = (left.chars().take(64).collect(), right.chars().collect());
    let mut rows = vec![(0..=right.len()).collect::<Vec<usize>>()];
    for (i, a) in left.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, b) in right.iter().enumerate() {
            let mut best = (rows[i][j] + usize::from(a != b)).min(rows[i][j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *a == right[j - 1] && left[i - 1] == *b {
                best = best.min(rows[i - 1][j - 1] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[left.len()][right.len()]
}

#[cfg(test)]
mod tests;
