//! The reference pages of the kinds, made from their definitions.
use std::fmt::Write as _;

use serde_json::{Map, Value};

/// The page of one definition (a `CustomResourceDefinition` as JSON): name of the file, and Markdown.
///
/// None if the value is no definition.
pub fn page(definition: &Value) -> Option<(String, String)> {
    let names = definition.pointer("/spec/names")?;
    let kind = names["kind"].as_str()?;
    let version = definition.pointer("/spec/versions/0")?;
    let schema = version.pointer("/schema/openAPIV3Schema")?;
    let mut page = format!("# {kind}\n\n<!-- Made by `make generate`; edit src/api instead. -->\n\n");
    let _ = writeln!(page, "{}\n", one_line(schema));
    let _ = writeln!(
        page,
        "`apiVersion: {}/{}`, short name `{}`, {}.\n",
        definition.pointer("/spec/group")?.as_str()?,
        version["name"].as_str()?,
        names.pointer("/shortNames/0").and_then(Value::as_str).unwrap_or("none"),
        if definition.pointer("/spec/scope")?.as_str()? == "Namespaced" { "in a namespace" } else { "in the cluster" },
    );
    columns(&mut page, version);
    for part in ["spec", "status"] {
        if let Some(schema) = schema.pointer(&format!("/properties/{part}")) {
            let _ = writeln!(page, "## {part}\n");
            let mut rows = Vec::new();
            fields(&mut rows, part, schema);
            table(&mut page, ["field", "type", "says"], &rows);
            rules(&mut page, schema);
        }
    }
    let file = format!("{}.md", names["plural"].as_str()?);
    Some((file, format!("{}\n", page.trim_end())))
}

fn columns(page: &mut String, version: &Value) {
    let columns = version["additionalPrinterColumns"].as_array().map(Vec::as_slice).unwrap_or_default();
    let text = |column: &Value, key: &str| column[key].as_str().unwrap_or_default().to_owned();
    let row = |column: &Value| {
        let wide = if column["priority"].as_i64().unwrap_or(0) > 0 { "`-o wide`" } else { "" };
        [text(column, "name"), wide.to_owned(), text(column, "description")]
    };
    page.push_str("## Columns of kubectl get\n\n");
    table(page, ["column", "", "says"], &columns.iter().map(row).collect::<Vec<_>>());
}

/// One row a field, with those inside it after it.
fn fields(rows: &mut Vec<[String; 3]>, path: &str, schema: &Value) {
    let Some(properties) = schema["properties"].as_object() else { return };
    for (name, field) in required_first(schema, properties) {
        let path = format!("{path}.{name}");
        let (kind, inner, suffix) = kind(field);
        let required = if is_required(schema, name) { ", required" } else { "" };
        rows.push([format!("`{path}{suffix}`"), format!("{kind}{required}"), one_line(field)]);
        // Conditions are the same everywhere, and explained by Kubernetes.
        if name != "conditions" {
            fields(rows, &format!("{path}{suffix}"), inner);
        }
    }
}

fn required_first<'a>(schema: &Value, properties: &'a Map<String, Value>) -> Vec<(&'a String, &'a Value)> {
    let mut all: Vec<_> = properties.iter().collect();
    all.sort_by_key(|(name, _)| (!is_required(schema, name), (*name).clone()));
    all
}

fn is_required(schema: &Value, name: &str) -> bool {
    schema["required"].as_array().is_some_and(|all| all.iter().any(|other| other == name))
}

/// The type of a field in words, the schema of what is inside, and how the path shows that it is a list or map.
fn kind(field: &Value) -> (String, &Value, &'static str) {
    if field["x-kubernetes-int-or-string"] == true {
        return ("integer or string".to_owned(), field, "");
    }
    if let Some(values) = field["enum"].as_array() {
        let values: Vec<&str> = values.iter().filter_map(Value::as_str).collect();
        return (values.join(", "), field, "");
    }
    match field["type"].as_str() {
        Some("array") => {
            let items = &field["items"];
            let limit = field["maxItems"].as_u64().map(|most| format!(", at most {most}")).unwrap_or_default();
            (format!("list of {}{limit}", kind(items).0), items, "[]")
        }
        Some("object") if field["additionalProperties"].is_object() => {
            (format!("map to {}", kind(&field["additionalProperties"]).0), field, "")
        }
        Some(other) => (other.to_owned(), field, ""),
        None => ("any".to_owned(), field, ""),
    }
}

/// The rules of a schema and of all inside it, in the words that the API server answers with.
fn rules(page: &mut String, schema: &Value) {
    let mut found = Vec::new();
    collect(&mut found, schema);
    found.sort();
    found.dedup();
    if found.is_empty() {
        return;
    }
    page.push_str("What the API server refuses, in its words:\n\n");
    for message in found {
        let _ = writeln!(page, "- {}", escape(&message));
    }
    page.push('\n');
}

fn collect(found: &mut Vec<String>, schema: &Value) {
    match schema {
        Value::Object(members) => {
            if let Some(rules) = members.get("x-kubernetes-validations").and_then(Value::as_array) {
                found.extend(rules.iter().filter_map(|rule| rule["message"].as_str()).map(str::to_owned));
            }
            members.values().for_each(|member| collect(found, member));
        }
        Value::Array(items) => items.iter().for_each(|item| collect(found, item)),
        _ => {}
    }
}

fn table(page: &mut String, heads: [&str; 3], rows: &[[String; 3]]) {
    let _ = writeln!(page, "| {} |\n|---|---|---|", heads.join(" | "));
    for row in rows {
        let _ = writeln!(page, "| {} |", row.join(" | "));
    }
    page.push('\n');
}

fn one_line(schema: &Value) -> String {
    let text = schema["description"].as_str().unwrap_or_default();
    escape(&text.split_whitespace().collect::<Vec<_>>().join(" "))
}

fn escape(text: &str) -> String {
    text.replace('|', "\\|").replace('<', "&lt;")
}
