//! Label selectors, by the rules of Kubernetes: what the API server would refuse to list by is said before.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, LabelSelectorRequirement};

use super::violation::Violation;

/// Letters of a label's name and of its value, at most.
const NAME_LETTERS: usize = 63;
/// Letters of the prefix of a label's key, at most.
const PREFIX_LETTERS: usize = 253;

/// Notes what is wrong with a selector of Pods at this field.
pub fn check(selector: &LabelSelector, field: &str, violations: &mut Vec<Violation>) {
    let labels = selector.match_labels.iter().flatten();
    let requirements = selector.match_expressions.as_deref().unwrap_or_default();
    if labels.clone().next().is_none() && requirements.is_empty() {
        let message = "an empty selector matches every Pod; add matchLabels or matchExpressions";
        violations.push(Violation::new(field, message));
    }
    for (key, value) in labels {
        let field = || format!("{field}.matchLabels");
        violations.extend(wrong_key(key).map(|message| Violation::new(field(), message)));
        violations.extend(wrong_value(value).map(|message| Violation::new(field(), message)));
    }
    for (index, requirement) in requirements.iter().enumerate() {
        check_requirement(requirement, &format!("{field}.matchExpressions[{index}]"), violations);
    }
}

fn check_requirement(requirement: &LabelSelectorRequirement, field: &str, violations: &mut Vec<Violation>) {
    let values = requirement.values.as_deref().unwrap_or_default();
    let mut add = |place: String, message: String| violations.push(Violation::new(format!("{field}.{place}"), message));
    if let Some(message) = wrong_key(&requirement.key) {
        add("key".to_owned(), message);
    }
    match requirement.operator.as_str() {
        "In" | "NotIn" if values.is_empty() => {
            add("values".to_owned(), format!("{} needs at least one value; add one", requirement.operator));
        }
        "Exists" | "DoesNotExist" if !values.is_empty() => {
            add("values".to_owned(), format!("{} takes no values; remove them, or use In", requirement.operator));
        }
        "In" | "NotIn" | "Exists" | "DoesNotExist" => {}
        other => add("operator".to_owned(), format!("{other:?} is none; use In, NotIn, Exists or DoesNotExist")),
    }
    for (index, value) in values.iter().enumerate() {
        if let Some(message) = wrong_value(value) {
            add(format!("values[{index}]"), message);
        }
    }
}

fn wrong_key(key: &str) -> Option<String> {
    let (prefix, name) = key.split_once('/').map_or((None, key), |(prefix, name)| (Some(prefix), name));
    if is_name(name) && prefix.is_none_or(is_prefix) {
        return None;
    }
    Some(format!(
        "{key:?} is not the key of a label; write at most {NAME_LETTERS} letters, digits, -, _ and ., with a letter or \
         digit first and last, and before it, if any, a DNS name and /, such as app or example.com/tier"
    ))
}

fn wrong_value(value: &str) -> Option<String> {
    (!value.is_empty() && !is_name(value)).then(|| {
        format!(
            "{value:?} is not the value of a label; write at most {NAME_LETTERS} letters, digits, -, _ and ., with a \
             letter or digit first and last"
        )
    })
}

fn is_name(text: &str) -> bool {
    let bytes = text.as_bytes();
    let ends = [bytes.first(), bytes.last()];
    bytes.len() <= NAME_LETTERS
        && ends.iter().all(|end| end.is_some_and(u8::is_ascii_alphanumeric))
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(byte))
}

/// A DNS name: lower case parts between dots.
fn is_prefix(text: &str) -> bool {
    let is_part = |part: &str| is_name(part) && part.bytes().all(|byte| !byte.is_ascii_uppercase() && byte != b'_');
    text.len() <= PREFIX_LETTERS && text.split('.').all(is_part)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::{Value, json};

    fn told(selector: Value) -> Vec<String> {
        let mut violations = Vec::new();
        check(&serde_json::from_value(selector).unwrap(), "selector", &mut violations);
        violations.iter().map(|violation| violation.field.clone()).collect()
    }

    #[test]
    fn what_kubernetes_takes_is_right() {
        let long = "a".repeat(63);
        for key in ["app", "A.b_c-d", "example.com/tier", "app.kubernetes.io/name", "9", &long, &format!("x/{long}")] {
            assert_eq!(told(json!({"matchLabels": {key: "x"}})), Vec::<String>::new(), "{key}");
        }
        for value in ["", "a", "Blue_2.x-1", &long] {
            assert_eq!(told(json!({"matchLabels": {"app": value}})), Vec::<String>::new(), "{value}");
        }
        let expressions = json!([{"key": "a", "operator": "In", "values": ["b", ""]},
            {"key": "a", "operator": "NotIn", "values": ["b"]}, {"key": "a", "operator": "Exists"},
            {"key": "a", "operator": "DoesNotExist", "values": []}]);
        assert_eq!(told(json!({"matchExpressions": expressions})), Vec::<String>::new());
    }

    #[test]
    fn what_kubernetes_refuses_is_named() {
        let long = "a".repeat(64);
        let prefix = format!("{}/a", "a.".repeat(127));
        let keys = ["", "a b", "-a", "a.", "a/b/c", "/a", "a/", "Up.com/a", "a_b/c", "a..b/c", "ä", &long, &prefix];
        for key in keys {
            assert_eq!(told(json!({"matchLabels": {key: "x"}})), ["selector.matchLabels"], "{key}");
            let expression = json!({"key": key, "operator": "Exists"});
            assert_eq!(told(json!({"matchExpressions": [expression]})), ["selector.matchExpressions[0].key"], "{key}");
        }
        for value in ["a b", "a,b", "-", "a)", &long] {
            assert_eq!(told(json!({"matchLabels": {"app": value}})), ["selector.matchLabels"], "{value}");
            let expression = json!({"key": "a", "operator": "In", "values": ["b", value]});
            let field = "selector.matchExpressions[0].values[1]";
            assert_eq!(told(json!({"matchExpressions": [expression]})), [field], "{value}");
        }
        for (operator, values, place) in [
            ("In", json!([]), "values"),
            ("NotIn", json!(null), "values"),
            ("Exists", json!(["a"]), "values"),
            ("DoesNotExist", json!(["a"]), "values"),
            ("Equals", json!(["a"]), "operator"),
            ("in", json!(["a"]), "operator"),
        ] {
            let expression = json!({"key": "a", "operator": operator, "values": values});
            let field = format!("selector.matchExpressions[0].{place}");
            assert_eq!(told(json!({"matchExpressions": [expression]})), [field], "{operator}");
        }
        assert_eq!(told(json!({})), ["selector"]);
    }
}
