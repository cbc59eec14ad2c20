//! The tables: a base object that is accepted, and rows that change fields of it.
//!
//! A row sets its `field` to each of its `values`, or the paths in `set`; null removes a field. A value
//! `{$repeat: N, of: X}` is a list of N times X in which `#` is the number of the element from 1, `{$text: N}` is a text
//! of N characters. `bounds` are rows in short: see [`Bounds`].

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde_json::{Value, json};

pub type Changes = BTreeMap<String, Value>;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    base: Value,
    bounds: Bounds,
    accept: Vec<Accepted>,
    refuse: Vec<Refused>,
    #[serde(default)]
    update: Vec<Update>,
}

/// Bounds of fields that the base object has.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[derive(Default)]
struct Bounds {
    /// Must be there.
    required: Vec<String>,
    /// A list of words.
    choice: Vec<String>,
    /// So many characters are accepted, one more is not.
    text: BTreeMap<String, usize>,
    /// One more character is refused; no text of that length is right.
    form: BTreeMap<String, usize>,
    /// An empty text is refused.
    not_empty: Vec<String>,
    /// So many elements are accepted, one more is not.
    list: BTreeMap<String, Elements>,
    /// An empty list is refused.
    at_least_one: Vec<String>,
    /// The first element a second time is refused.
    unique: Vec<String>,
    /// The least and the greatest are accepted, those beyond are not.
    range: BTreeMap<String, (i64, i64)>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Elements {
    most: usize,
    of: Value,
    /// What else has to change for it.
    #[serde(default)]
    set: Changes,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Accepted {
    case: String,
    #[serde(default)]
    field: String,
    #[serde(default)]
    values: Vec<Value>,
    #[serde(default)]
    set: Changes,
    /// Only the API server knows it.
    #[serde(default)]
    online: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Refused {
    case: String,
    /// Path that the error names.
    field: String,
    /// Fragment of the error.
    message: String,
    #[serde(default)]
    values: Vec<Value>,
    #[serde(default)]
    set: Changes,
    #[serde(default)]
    offline: Option<OfflineText>,
    /// The API server cannot know it: only the shared validators refuse.
    #[serde(default)]
    offline_only: bool,
}

/// `true`, or the other words of the shared validator.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum OfflineText {
    Same(bool),
    Says(String),
}

/// An object that changes.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Update {
    pub case: String,
    #[serde(default)]
    pub before: Changes,
    pub after: Changes,
    #[serde(default)]
    pub field: String,
    /// Fragment of the error; none: accepted.
    #[serde(default)]
    pub message: Option<String>,
}

/// How the shared validators answer.
#[derive(Clone, Debug)]
pub enum Offline {
    /// With the same message.
    Same,
    /// With these words.
    Says(String),
}

/// One object to try.
pub struct Attempt {
    pub case: String,
    pub object: Value,
    /// Field and message of the refusal.
    pub refused: Option<(String, String)>,
    /// Whether the shared validators see it too.
    pub offline: Option<Offline>,
    /// Whether the API server sees it.
    pub online: bool,
}

impl Table {
    pub fn read(plural: &str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/validation/{plural}.yaml"));
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    pub fn kind(&self) -> &str {
        self.base["kind"].as_str().unwrap()
    }

    pub fn updates(&self) -> &[Update] {
        &self.update
    }

    /// The base object with changes.
    pub fn with(&self, changes: &Changes) -> Value {
        let mut object = self.base.clone();
        for (path, value) in changes {
            set(&mut object, path, expand(value, 0));
        }
        object
    }

    /// All objects to try, the base first.
    pub fn attempts(&self) -> Vec<Attempt> {
        let base = Attempt {
            case: "base".to_owned(),
            object: self.base.clone(),
            refused: None,
            offline: Some(Offline::Same),
            online: true,
        };
        let mut attempts = vec![base];
        self.add_bounds(&mut attempts);
        for row in &self.accept {
            let rows = self.rows(&row.case, &row.field, &row.values, &row.set);
            attempts.extend(rows.map(|(case, object)| Attempt {
                case,
                object,
                refused: None,
                offline: (!row.online).then_some(Offline::Same),
                online: true,
            }));
        }
        for row in &self.refuse {
            let offline = match &row.offline {
                Some(OfflineText::Says(text)) => Some(Offline::Says(text.clone())),
                Some(OfflineText::Same(true)) => Some(Offline::Same),
                _ => row.offline_only.then_some(Offline::Same),
            };
            let rows = self.rows(&row.case, &row.field, &row.values, &row.set);
            attempts.extend(rows.map(|(case, object)| Attempt {
                case,
                object,
                refused: Some((row.field.clone(), row.message.clone())),
                offline: offline.clone(),
                online: !row.offline_only,
            }));
        }
        attempts
    }

    /// One object for each value of a row, or one for what it sets.
    fn rows<'a>(
        &'a self,
        case: &'a str,
        field: &'a str,
        values: &'a [Value],
        set: &'a Changes,
    ) -> impl Iterator<Item = (String, Value)> + 'a {
        assert!(!values.is_empty() || !set.is_empty(), "{case}: the row changes nothing");
        let alone = values.is_empty().then(|| (case.to_owned(), self.with(set)));
        let each = values.iter().map(move |value| {
            let mut changes = set.clone();
            changes.insert(field.to_owned(), value.clone());
            (format!("{case} {value}"), self.with(&changes))
        });
        alone.into_iter().chain(each)
    }

    fn add_bounds(&self, attempts: &mut Vec<Attempt>) {
        let mut add = |path: &str, field: &str, value: Value, set: &Changes, message: Option<String>| {
            let mut changes = set.clone();
            changes.insert(path.to_owned(), value);
            attempts.push(Attempt {
                case: format!("bound of {path}"),
                object: self.with(&changes),
                refused: message.map(|message| (field.to_owned(), message)),
                offline: None,
                online: true,
            });
        };
        let (bounds, none) = (&self.bounds, &Changes::new());
        let words = |text: &str| Some(text.to_owned());
        bounds.required.iter().for_each(|path| add(path, path, Value::Null, none, words("Required value")));
        bounds.choice.iter().for_each(|path| add(path, path, json!("Other"), none, words("Unsupported value")));
        for path in &bounds.not_empty {
            add(path, path, json!(""), none, words("should be at least 1 chars long"));
        }
        for path in &bounds.at_least_one {
            add(path, path, json!([]), none, words("should have at least 1 items"));
        }
        for path in &bounds.unique {
            let double = format!("{path}[1]");
            let first = self.base.pointer(&format!("/{}/0", path.replace('.', "/"))).unwrap().clone();
            add(path, &double, json!([first, first]), none, words("Duplicate value"));
        }
        let too_long = |most: &usize| Some(format!("Too long: may not be more than {most} bytes"));
        for (path, most) in &bounds.text {
            add(path, path, json!({"$text": most}), none, None);
            add(path, path, json!({"$text": most + 1}), none, too_long(most));
        }
        for (path, most) in &bounds.form {
            add(path, path, json!({"$text": most + 1}), none, too_long(most));
        }
        for (path, Elements { most, of, set }) in &bounds.list {
            let elements = |times: usize| json!({"$repeat": times, "of": of});
            add(path, path, elements(*most), set, None);
            add(path, path, elements(most + 1), set, Some(format!("must have at most {most} items")));
        }
        for (path, (least, most)) in &bounds.range {
            add(path, path, (*least).into(), none, None);
            add(path, path, (*most).into(), none, None);
            add(path, path, (least - 1).into(), none, Some(format!("should be greater than or equal to {least}")));
            add(path, path, (most + 1).into(), none, Some(format!("should be less than or equal to {most}")));
        }
    }
}

/// Sets the field at a path such as `spec.targets[0].objective`; null removes it, and one past the end of a list adds.
fn set(object: &mut Value, path: &str, value: Value) {
    let steps: Vec<&str> = path.split(['.', '[']).map(|step| step.trim_end_matches(']')).collect();
    let (last, before) = steps.split_last().unwrap();
    let mut place = object;
    for step in before {
        place = enter(place, step);
    }
    match (place, value) {
        (Value::Object(fields), Value::Null) => {
            fields.remove(*last);
        }
        (place, value) => *enter(place, last) = value,
    }
}

fn enter<'a>(place: &'a mut Value, step: &str) -> &'a mut Value {
    match step.parse::<usize>() {
        Ok(index) => {
            if !place.is_array() {
                *place = json!([]);
            }
            let list = place.as_array_mut().unwrap();
            if index == list.len() {
                list.push(json!({}));
            }
            &mut list[index]
        }
        Err(_) => &mut place[step],
    }
}

fn expand(value: &Value, number: usize) -> Value {
    match value {
        Value::Object(fields) if fields.contains_key("$repeat") => {
            let times = fields["$repeat"].as_u64().unwrap() as usize;
            (1..=times).map(|number| expand(&fields["of"], number)).collect()
        }
        Value::Object(fields) if fields.contains_key("$text") => {
            "x".repeat(fields["$text"].as_u64().unwrap() as usize).into()
        }
        Value::Object(fields) => fields
            .iter()
            .map(|(key, value)| (key.clone(), expand(value, number)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        Value::Array(list) => list.iter().map(|value| expand(value, number)).collect(),
        Value::String(text) if number > 0 => text.replace('#', &number.to_string()).into(),
        other => other.clone(),
    }
}
