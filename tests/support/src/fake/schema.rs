//! Structural schemas: pruning, defaults and validation.
//!
//! CEL rules (`x-kubernetes-validations`) are not run here; formats other than `date-time` are not checked.
use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::{
    fieldset::{ListKind, Shape, element_of},
    respond::{Cause, kind_of},
};

/// Removes what the schema does not know, and returns the paths of what was removed.
pub(crate) fn prune(object: &mut Value, schema: &Value) -> Vec<String> {
    let mut removed = Vec::new();
    if let Value::Object(fields) = object {
        prune_fields(fields, schema, "", true, &mut removed);
    }
    removed
}

fn prune_fields(fields: &mut Map<String, Value>, schema: &Value, path: &str, root: bool, removed: &mut Vec<String>) {
    let properties = schema["properties"].as_object();
    let additional = schema.get("additionalProperties");
    let keeps_unknown =
        schema["x-kubernetes-preserve-unknown-fields"] == true || additional == Some(&Value::Bool(true));
    fields.retain(|name, child| {
        let here = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        if root && matches!(name.as_str(), "apiVersion" | "kind" | "metadata") {
            return true;
        }
        let known = properties.and_then(|properties| properties.get(name));
        match known.or_else(|| additional.filter(|schema| schema.is_object())) {
            Some(schema) => {
                prune_value(child, schema, &here, removed);
                true
            }
            None if keeps_unknown => true,
            None => {
                removed.push(here);
                false
            }
        }
    });
}

fn prune_value(value: &mut Value, schema: &Value, path: &str, removed: &mut Vec<String>) {
    match value {
        Value::Object(fields) => prune_fields(fields, schema, path, false, removed),
        Value::Array(items) => {
            let Some(schema) = schema.get("items") else { return };
            for (index, item) in items.iter_mut().enumerate() {
                prune_value(item, schema, &format!("{path}[{index}]"), removed);
            }
        }
        _ => {}
    }
}

/// Fills in defaults, and drops nulls where the schema does not allow them but has a default.
pub(crate) fn fill_defaults(value: &mut Value, schema: &Value) {
    match value {
        Value::Object(fields) => {
            for (name, schema) in schema["properties"].as_object().into_iter().flatten() {
                if let Some(default) = schema.get("default") {
                    let unset = fields.get(name).is_none_or(|found| found.is_null() && schema["nullable"] != true);
                    if unset {
                        fields.insert(name.clone(), default.clone());
                    }
                }
                if let Some(child) = fields.get_mut(name) {
                    fill_defaults(child, schema);
                }
            }
            if let Some(additional) = schema.get("additionalProperties").filter(|schema| schema.is_object()) {
                fields.values_mut().for_each(|child| fill_defaults(child, additional));
            }
        }
        Value::Array(items) => {
            if let Some(schema) = schema.get("items") {
                for item in items {
                    fill_defaults(item, schema);
                }
            }
        }
        _ => {}
    }
}

/// What is wrong with an object, in the words of the real server where they are short.
pub(crate) fn validate(object: &Value, schema: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    check(object, schema, "", &mut causes);
    causes
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

fn check(value: &Value, schema: &Value, path: &str, causes: &mut Vec<Cause>) {
    if value.is_null() && schema["nullable"] == true {
        return;
    }
    if !type_fits(value, schema) {
        let expected = schema["type"].as_str().unwrap_or_default();
        let found = kind_of(value);
        causes.push(Cause {
            reason: "FieldValueTypeInvalid",
            message: format!("Invalid value: \"{found}\": {path} in body must be of type {expected}: \"{found}\""),
            field: path.to_owned(),
        });
        return;
    }
    check_enum(value, schema, path, causes);
    match value {
        Value::Object(fields) => check_object(fields, value, schema, path, causes),
        Value::Array(items) => check_array(items, value, schema, path, causes),
        Value::String(text) => check_text(text, value, schema, path, causes),
        Value::Number(_) => check_number(value, schema, path, causes),
        _ => {}
    }
    check_combinations(value, schema, path, causes);
}

fn type_fits(value: &Value, schema: &Value) -> bool {
    if schema["x-kubernetes-int-or-string"] == true {
        return value.is_string() || value.is_i64() || value.is_u64();
    }
    match schema["type"].as_str() {
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.is_string(),
        Some("boolean") => value.is_boolean(),
        Some("number") => value.is_number(),
        Some("integer") => value.as_f64().is_some_and(|number| number.fract() == 0.0),
        _ => true,
    }
}

fn check_enum(value: &Value, schema: &Value, path: &str, causes: &mut Vec<Cause>) {
    let Some(allowed) = schema["enum"].as_array() else {
        return;
    };
    if !allowed.contains(value) {
        let shown: Vec<String> = allowed.iter().map(Value::to_string).collect();
        causes.push(Cause {
            reason: "FieldValueNotSupported",
            message: format!("Unsupported value: {value}: supported values: {}", shown.join(", ")),
            field: path.to_owned(),
        });
    }
}

fn check_object(fields: &Map<String, Value>, value: &Value, schema: &Value, path: &str, causes: &mut Vec<Cause>) {
    for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if !fields.contains_key(name) {
            causes.push(Cause::required(&join(path, name)));
        }
    }
    let count = fields.len() as u64;
    if schema["maxProperties"].as_u64().is_some_and(|most| count > most) {
        causes.push(Cause::invalid(path, value, format!("{path} in body should have fewer properties")));
    }
    if schema["minProperties"].as_u64().is_some_and(|least| count < least) {
        causes.push(Cause::invalid(path, value, format!("{path} in body should have more properties")));
    }
    let root = path.is_empty();
    for (name, child) in fields.iter().filter(|(name, _)| !root || *name != "metadata") {
        let known = schema["properties"].get(name);
        if let Some(schema) = known.or_else(|| schema.get("additionalProperties").filter(|schema| schema.is_object())) {
            check(child, schema, &join(path, name), causes);
        }
    }
}

fn check_array(items: &[Value], value: &Value, schema: &Value, path: &str, causes: &mut Vec<Cause>) {
    let count = items.len() as u64;
    if let Some(most) = schema["maxItems"].as_u64().filter(|most| count > *most) {
        causes.push(Cause {
            reason: "FieldValueTooMany",
            message: format!("Too many: {count}: must have at most {most} items"),
            field: path.to_owned(),
        });
    }
    if let Some(least) = schema["minItems"].as_u64().filter(|least| count < *least) {
        causes.push(Cause::invalid(path, value, format!("{path} in body should have at least {least} items")));
    }
    let kind = Shape::Schema(schema).list_kind();
    let mut seen = BTreeSet::new();
    for (index, item) in items.iter().enumerate() {
        let here = format!("{path}[{index}]");
        if kind != ListKind::Atomic {
            let element = element_of(&kind, item);
            if element.is_some_and(|element| !seen.insert(element)) {
                causes.push(Cause {
                    reason: "FieldValueDuplicate",
                    message: format!("Duplicate value: {item}"),
                    field: here.clone(),
                });
            }
        }
        check(item, &schema["items"], &here, causes);
    }
}

fn check_text(text: &str, value: &Value, schema: &Value, path: &str, causes: &mut Vec<Cause>) {
    let length = text.chars().count() as u64;
    if let Some(most) = schema["maxLength"].as_u64().filter(|most| length > *most) {
        causes.push(Cause {
            reason: "FieldValueTooLong",
            message: format!("Too long: may not be more than {most} bytes"),
            field: path.to_owned(),
        });
    }
    if let Some(least) = schema["minLength"].as_u64().filter(|least| length < *least) {
        causes.push(Cause::invalid(path, value, format!("{path} in body should be at least {least} chars long")));
    }
    if let Some(pattern) = schema["pattern"].as_str()
        && regex::Regex::new(pattern).is_ok_and(|pattern| !pattern.is_match(text))
    {
        causes.push(Cause::invalid(path, value, format!("{path} in body should match '{pattern}'")));
    }
    if schema["format"] == "date-time" && text.parse::<jiff::Timestamp>().is_err() {
        causes.push(Cause::invalid(path, value, format!("{path} in body must be of type date-time: {value}")));
    }
}

fn check_number(value: &Value, schema: &Value, path: &str, causes: &mut Vec<Cause>) {
    let Some(number) = value.as_f64() else { return };
    if let Some(least) = schema["minimum"].as_f64() {
        let exclusive = schema["exclusiveMinimum"] == true;
        if number < least || exclusive && number <= least {
            let word = if exclusive { "greater than" } else { "greater than or equal to" };
            causes.push(Cause::invalid(path, value, format!("{path} in body should be {word} {least}")));
        }
    }
    if let Some(most) = schema["maximum"].as_f64() {
        let exclusive = schema["exclusiveMaximum"] == true;
        if number > most || exclusive && number >= most {
            let word = if exclusive { "less than" } else { "less than or equal to" };
            causes.push(Cause::invalid(path, value, format!("{path} in body should be {word} {most}")));
        }
    }
}

fn check_combinations(value: &Value, schema: &Value, path: &str, causes: &mut Vec<Cause>) {
    let fits = |schema: &Value| {
        let mut found = Vec::new();
        check(value, schema, path, &mut found);
        found.is_empty()
    };
    for schema in schema["allOf"].as_array().into_iter().flatten() {
        check(value, schema, path, causes);
    }
    if schema["anyOf"].as_array().is_some_and(|choices| !choices.iter().any(fits)) {
        causes.push(Cause::invalid(path, value, format!("{path} in body must validate at least one schema (anyOf)")));
    }
    if schema["oneOf"].as_array().is_some_and(|choices| choices.iter().filter(|choice| fits(choice)).count() != 1) {
        causes.push(Cause::invalid(
            path,
            value,
            format!("{path} in body must validate one and only one schema (oneOf)"),
        ));
    }
    if schema.get("not").is_some_and(fits) {
        causes.push(Cause::invalid(path, value, format!("{path} in body must not validate the schema (not)")));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn schema() -> Value {
        json!({"type": "object", "properties": {"spec": {"type": "object", "required": ["size"], "properties": {
            "size": {"type": "integer", "minimum": 1, "maximum": 9},
            "color": {"type": "string", "enum": ["red", "blue"], "default": "red"},
            "name": {"type": "string", "pattern": "^[a-z]+$", "maxLength": 3},
        }}}})
    }

    #[test]
    fn unknown_fields_go_and_defaults_come() {
        let mut object =
            json!({"kind": "X", "metadata": {"name": "x"}, "spec": {"size": 1, "odd": {"a": 1}}, "more": 1});
        assert_eq!(prune(&mut object, &schema()), ["more", "spec.odd"]);
        fill_defaults(&mut object, &schema());
        assert_eq!(object["spec"], json!({"size": 1, "color": "red"}));
    }

    #[test]
    fn gross_mistakes_are_named() {
        let fields = |spec: Value| -> Vec<String> {
            validate(&json!({"spec": spec}), &schema()).into_iter().map(|cause| cause.field).collect()
        };
        assert_eq!(fields(json!({"size": 5, "color": "red", "name": "abc"})), Vec::<String>::new());
        assert_eq!(fields(json!({})), ["spec.size"]);
        assert_eq!(fields(json!({"size": "5"})), ["spec.size"]);
        assert_eq!(
            fields(json!({"size": 10, "color": "green", "name": "A"})),
            ["spec.color", "spec.name", "spec.size"]
        );
    }
}
