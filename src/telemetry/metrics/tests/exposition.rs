//! A small reader of the exposition format, which holds the writer to the rules of the format.

use std::collections::{BTreeMap, BTreeSet};

use crate::telemetry::metrics::Metrics;

/// An exposition, read back as the format says: types by family, values by series.
#[derive(Debug, Default)]
pub(super) struct Exposition {
    pub(super) types: BTreeMap<String, String>,
    pub(super) series: BTreeMap<(String, Vec<(String, String)>), f64>,
}

impl Exposition {
    pub(super) fn of(metrics: &Metrics) -> Self {
        let mut text = String::new();
        metrics.encode(&mut text).unwrap();
        Self::parse(&text)
    }

    fn parse(text: &str) -> Self {
        let mut parsed = Self::default();
        let (body, end) = text.split_at(text.len() - "# EOF\n".len());
        assert_eq!(end, "# EOF\n");
        let mut family = String::new();
        for line in body.lines() {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                let (_, help) = rest.split_once(' ').unwrap();
                assert!(help.ends_with('.') && !help.ends_with(".."), "{line}");
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').unwrap();
                assert!(parsed.types.insert(name.to_owned(), kind.to_owned()).is_none(), "{name} comes twice");
                family = name.to_owned();
            } else {
                let (name, labels, value) = Self::sample(line);
                let suffix = name.strip_prefix(family.as_str()).expect("a series belongs to the family before it");
                let allowed: &[&str] = match parsed.types[&family].as_str() {
                    "gauge" => &[""],
                    "counter" => &["_total"],
                    "info" => &["_info"],
                    "histogram" => &["_sum", "_count", "_bucket"],
                    other => unreachable!("{other}"),
                };
                assert!(allowed.contains(&suffix), "{line}");
                assert!(parsed.series.insert((name, labels), value).is_none(), "{line} comes twice");
            }
        }
        parsed
    }

    fn sample(line: &str) -> (String, Vec<(String, String)>, f64) {
        let name_end = line.find(['{', ' ']).unwrap();
        let name = line[..name_end].to_owned();
        let mut rest = &line[name_end..];
        let mut labels = Vec::new();
        if let Some(inside) = rest.strip_prefix('{') {
            rest = inside;
            while !rest.starts_with('}') {
                let (key, after) = rest.trim_start_matches(',').split_once("=\"").unwrap();
                let mut value = String::new();
                let mut characters = after.char_indices();
                let end = loop {
                    match characters.next().unwrap() {
                        (index, '"') => break index,
                        (_, '\\') => value.push(match characters.next().unwrap().1 {
                            'n' => '\n',
                            escaped @ ('\\' | '"') => escaped,
                            other => unreachable!("\\{other}"),
                        }),
                        (_, other) => value.push(other),
                    }
                };
                labels.push((key.to_owned(), value));
                rest = &after[end + 1..];
            }
            rest = &rest[1..];
        }
        (name, labels, rest.trim().parse().unwrap())
    }

    pub(super) fn value(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let labels: Vec<_> = labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let key = (name.to_owned(), labels);
        *self.series.get(&key).unwrap_or_else(|| unreachable!("no {key:?} in {:#?}", self.series))
    }

    pub(super) fn count(&self, start: &str) -> usize {
        self.series.keys().filter(|(name, _)| name.starts_with(start)).count()
    }

    pub(super) fn agreements(&self) -> BTreeSet<&str> {
        let labels = self.series.keys().flat_map(|(_, labels)| labels);
        labels.filter(|(key, _)| key == "agreement").map(|(_, value)| value.as_str()).collect()
    }
}
