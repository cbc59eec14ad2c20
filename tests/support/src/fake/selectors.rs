//! Label and field selectors.
use serde_json::Value;

use super::{resources::ResourceType, respond::ApiError};

/// One requirement of a label selector.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Requirement {
    In(String, Vec<String>),
    NotIn(String, Vec<String>),
    Exists(String),
    Absent(String),
}

/// Which objects a list or a watch asks for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Selection {
    labels: Vec<Requirement>,
    /// Dotted path, negation, value.
    fields: Vec<(String, bool, String)>,
}

impl Selection {
    /// Parses both selectors; a field the kind does not index is refused, as by the real server.
    pub(crate) fn parse(
        resource: &ResourceType,
        labels: Option<&String>,
        fields: Option<&String>,
    ) -> Result<Self, ApiError> {
        let labels = match labels {
            Some(text) => parse_labels(text)?,
            None => Vec::new(),
        };
        let mut parsed = Vec::new();
        for term in fields.map(|text| text.split(',')).into_iter().flatten().filter(|term| !term.is_empty()) {
            let (field, negated, value) = split_term(term)
                .ok_or_else(|| ApiError::bad_request(format!("invalid selector: '{term}'; can't understand it")))?;
            if !resource.selectable.iter().any(|known| known == field) {
                return Err(ApiError::bad_request(format!("field label not supported: {field}")));
            }
            parsed.push((field.to_owned(), negated, value.to_owned()));
        }
        Ok(Self { labels, fields: parsed })
    }

    /// Whether the object is selected.
    pub(crate) fn matches(&self, object: &Value) -> bool {
        let label = |key: &str| object["metadata"]["labels"].get(key).and_then(Value::as_str);
        self.labels.iter().all(|requirement| match requirement {
            Requirement::In(key, values) => label(key).is_some_and(|found| values.iter().any(|value| value == found)),
            Requirement::NotIn(key, values) => label(key).is_none_or(|found| values.iter().all(|value| value != found)),
            Requirement::Exists(key) => label(key).is_some(),
            Requirement::Absent(key) => label(key).is_none(),
        }) && self.fields.iter().all(|(field, negated, value)| (field_text(object, field) == *value) != *negated)
    }
}

fn split_term(term: &str) -> Option<(&str, bool, &str)> {
    if let Some((key, value)) = term.split_once("!=") {
        return Some((key.trim(), true, value.trim()));
    }
    let (key, value) = term.split_once("==").or_else(|| term.split_once('='))?;
    Some((key.trim(), false, value.trim()))
}

/// The text of a field; a field that is not set selects as the empty text.
fn field_text(object: &Value, dotted: &str) -> String {
    let mut value = object;
    for part in dotted.split('.') {
        value = &value[part];
    }
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn parse_labels(text: &str) -> Result<Vec<Requirement>, ApiError> {
    split_outside_parentheses(text).into_iter().filter(|term| !term.is_empty()).map(parse_label_term).collect()
}

fn split_outside_parentheses(text: &str) -> Vec<&str> {
    let (mut terms, mut start, mut depth) = (Vec::new(), 0, 0_u32);
    for (position, character) in text.char_indices() {
        match character {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                terms.push(text[start..position].trim());
                start = position + 1;
            }
            _ => {}
        }
    }
    terms.push(text[start..].trim());
    terms
}

fn parse_label_term(term: &str) -> Result<Requirement, ApiError> {
    if let Some(key) = term.strip_prefix('!') {
        return Ok(Requirement::Absent(key.trim().to_owned()));
    }
    if let Some(inner) = term.strip_suffix(')')
        && let Some((head, values)) = inner.split_once('(')
    {
        let values = values.split(',').map(|value| value.trim().to_owned()).collect();
        return match head.split_whitespace().collect::<Vec<_>>().as_slice() {
            [key, "in"] => Ok(Requirement::In((*key).to_owned(), values)),
            [key, "notin"] => Ok(Requirement::NotIn((*key).to_owned(), values)),
            _ => Err(ApiError::bad_request(format!("unable to parse requirement: {term}"))),
        };
    }
    match split_term(term) {
        Some((key, false, value)) => Ok(Requirement::In(key.to_owned(), vec![value.to_owned()])),
        Some((key, true, value)) => Ok(Requirement::NotIn(key.to_owned(), vec![value.to_owned()])),
        None if term.contains(char::is_whitespace) => {
            Err(ApiError::bad_request(format!("unable to parse requirement: {term}")))
        }
        None => Ok(Requirement::Exists(term.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    fn selects(labels: &str, object: &Value) -> bool {
        Selection { labels: parse_labels(labels).unwrap(), fields: Vec::new() }.matches(object)
    }

    #[test]
    fn label_selectors_select_like_the_real_server() {
        let object = json!({"metadata": {"labels": {"app": "shop", "tier": "web"}}});
        assert!(selects("app=shop,tier in (web, db)", &object));
        assert!(selects("app==shop,!gone,tier", &object));
        assert!(selects("other!=x", &object));
        assert!(!selects("tier notin (web)", &object));
        assert!(!selects("gone", &object));
    }
}
