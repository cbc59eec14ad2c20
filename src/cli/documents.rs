//! YAML and JSON files as documents, with the line of every field.

use std::collections::HashMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use granit_parser::{Event, Parser};
use serde_json::Value;

/// Depth of folders that are read; deeper ones are a loop of links.
const MAX_FOLDER_DEPTH: usize = 32;

/// Why files could not be read.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    /// A file cannot be opened.
    #[error("failed to read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A document is not YAML.
    #[error("{}:{line}: {message}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        message: String,
    },
    /// A folder holds no file.
    #[error("{}: no .yaml, .yml or .json file in this folder; add -R for the folders below", path.display())]
    EmptyFolder {
        /// The folder.
        path: PathBuf,
    },
}

/// One document of a file: an object, or an item of a list.
#[derive(Clone, Debug)]
pub struct Document {
    /// The file.
    pub path: PathBuf,
    /// What it says.
    pub value: Value,
    /// Where it begins, from 1.
    line: usize,
    lines: HashMap<String, usize>,
    /// Path of the object in its list, with a dot at the end; empty if it stands alone.
    prefix: String,
}

impl Document {
    /// The line of a field, or of the nearest one above it.
    pub fn line_of(&self, field: &str) -> usize {
        let mut path = format!("{}{field}", self.prefix);
        loop {
            if let Some(line) = self.lines.get(&path) {
                return *line;
            }
            match path.rfind(['.', '[']) {
                Some(end) => path.truncate(end),
                None => return self.line,
            }
        }
    }
}

/// The text of a file, or of standard input for `-`.
pub fn read_text(path: &Path) -> Result<String, DocumentError> {
    let mut text = String::new();
    let outcome = if path.as_os_str() == "-" {
        std::io::stdin().read_to_string(&mut text).map(|_| ())
    } else {
        std::fs::read_to_string(path).map(|read| text = read)
    };
    outcome.map_err(|source| DocumentError::Read { path: path.to_owned(), source })?;
    Ok(text)
}

/// The files that arguments mean: a folder stands for its .yaml, .yml and .json files, in order of their names.
pub fn files_of(paths: &[PathBuf], recursive: bool) -> Result<Vec<PathBuf>, DocumentError> {
    let mut files = Vec::new();
    for path in paths {
        if path.as_os_str() != "-" && path.is_dir() {
            let before = files.len();
            add_folder(path, recursive, 0, &mut files)?;
            if files.len() == before {
                return Err(DocumentError::EmptyFolder { path: path.clone() });
            }
        } else {
            files.push(path.clone());
        }
    }
    Ok(files)
}

fn add_folder(folder: &Path, recursive: bool, depth: usize, files: &mut Vec<PathBuf>) -> Result<(), DocumentError> {
    let failed = |source| DocumentError::Read { path: folder.to_owned(), source };
    let mut entries = std::fs::read_dir(folder)
        .and_then(|entries| entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>())
        .map_err(failed)?;
    entries.sort();
    for entry in entries {
        if entry.is_dir() {
            if recursive && depth < MAX_FOLDER_DEPTH {
                add_folder(&entry, recursive, depth + 1, files)?;
            }
        } else if entry.extension().is_some_and(|extension| ["yaml", "yml", "json"].iter().any(|one| extension == *one))
        {
            files.push(entry);
        }
    }
    Ok(())
}

/// The documents of a text, and what is wrong with those that are no YAML. A `List` stands for its items.
pub fn documents_of(path: &Path, text: &str) -> (Vec<Document>, Vec<DocumentError>) {
    let (mut documents, mut errors) = (Vec::new(), Vec::new());
    for (first_line, chunk) in chunks(text) {
        match serde_saphyr::from_str::<Option<Value>>(&chunk) {
            Ok(None) => {}
            Ok(Some(value)) => {
                let (line, lines) = lines_of(&chunk, first_line);
                let whole = Document { path: path.to_owned(), value, line, lines, prefix: String::new() };
                documents.extend(items_of(whole));
            }
            Err(error) => {
                let error = error.without_snippet();
                let line = error.location().map_or(1, |location| location.line() as usize);
                let message = error.to_string();
                let message = message.lines().next().unwrap_or_default().to_owned();
                errors.push(DocumentError::Syntax {
                    path: path.to_owned(),
                    line: first_line + line.max(1) - 1,
                    message,
                });
            }
        }
    }
    (documents, errors)
}

/// All documents of some files, or the first error.
pub fn read_documents(paths: &[PathBuf]) -> Result<Vec<Document>, DocumentError> {
    let mut all = Vec::new();
    for path in files_of(paths, false)? {
        let (documents, errors) = documents_of(&path, &read_text(&path)?);
        if let Some(error) = errors.into_iter().next() {
            return Err(error);
        }
        all.extend(documents);
    }
    Ok(all)
}

/// Cuts a text at its document markers, as kubectl does, so that one broken document does not hide the others.
fn chunks(text: &str) -> Vec<(usize, String)> {
    let mut chunks = vec![(1, String::new())];
    for (index, line) in text.split_inclusive('\n').enumerate() {
        let is_marker =
            line.strip_prefix("---").is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\r', '\n']));
        if is_marker && index > 0 {
            chunks.push((index + 1, String::new()));
        }
        if let Some((_, chunk)) = chunks.last_mut() {
            chunk.push_str(line);
        }
    }
    chunks
}

fn items_of(whole: Document) -> Vec<Document> {
    let is_list = whole.value["kind"].as_str().is_some_and(|kind| kind.ends_with("List"));
    match &whole.value["items"] {
        Value::Array(items) if is_list => items
            .iter()
            .enumerate()
            .map(|(index, item)| Document {
                value: item.clone(),
                prefix: format!("items[{index}]."),
                line: whole.lines.get(&format!("items[{index}]")).copied().unwrap_or(whole.line),
                ..whole.clone()
            })
            .collect(),
        _ => vec![whole],
    }
}

/// A list or object that is being read.
enum Level {
    List { path: String, index: usize },
    Object { path: String, key: Option<String> },
}

impl Level {
    /// The path of the next value, and whether the next scalar is a key.
    fn next_value(&mut self) -> Option<String> {
        match self {
            Self::List { path, index } => {
                *index += 1;
                Some(format!("{path}[{}]", *index - 1))
            }
            Self::Object { path, key } => {
                let key = key.take()?;
                Some(if path.is_empty() { key } else { format!("{path}.{key}") })
            }
        }
    }
}

/// The line on which a document begins, and that of each field in it: of its key, or of the item of a list.
fn lines_of(chunk: &str, first_line: usize) -> (usize, HashMap<String, usize>) {
    let mut lines = HashMap::new();
    let mut levels: Vec<Level> = Vec::new();
    let mut root_line = None;
    for parsed in Parser::new_from_str(chunk) {
        let Ok((event, span)) = parsed else { break };
        let line = first_line + span.start.line().max(1) - 1;
        match event {
            Event::Scalar(text, ..) => {
                if let Some(Level::Object { path, key: key @ None }) = levels.last_mut() {
                    let field = if path.is_empty() { text.to_string() } else { format!("{path}.{text}") };
                    lines.insert(field, line);
                    *key = Some(text.into_owned());
                } else if let Some(path) = levels.last_mut().and_then(Level::next_value) {
                    lines.entry(path).or_insert(line);
                }
            }
            Event::Alias(..) | Event::UnresolvedAlias(..) => {
                if let Some(path) = levels.last_mut().and_then(Level::next_value) {
                    lines.entry(path).or_insert(line);
                }
            }
            Event::MappingStart(..) | Event::SequenceStart(..) => {
                root_line.get_or_insert(line);
                let path = levels.last_mut().and_then(Level::next_value).unwrap_or_default();
                if !path.is_empty() {
                    lines.entry(path.clone()).or_insert(line);
                }
                levels.push(match event {
                    Event::MappingStart(..) => Level::Object { path, key: None },
                    _ => Level::List { path, index: 0 },
                });
            }
            Event::MappingEnd | Event::SequenceEnd => {
                levels.pop();
            }
            _ => {}
        }
    }
    (root_line.unwrap_or(first_line), lines)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn fields_know_their_line() {
        let text = "# first\n---\nkind: A\nspec:\n  list:\n  - name: a\n    deep: {x: 1,\n      y: 2}\n  - name: b\n---\nkind: B\nmetadata:\n  name: b\n";
        let (documents, errors) = documents_of(Path::new("f.yaml"), text);
        assert!(errors.is_empty());
        assert_eq!(documents.len(), 2);
        let lines: Vec<usize> = [
            "kind",
            "spec",
            "spec.list",
            "spec.list[0].name",
            "spec.list[0].deep.y",
            "spec.list[1]",
            "spec.list[1].missing",
            "other",
        ]
        .map(|field| documents[0].line_of(field))
        .to_vec();
        assert_eq!(lines, [3, 4, 5, 6, 8, 9, 9, 3]);
        assert_eq!(documents[1].line_of("metadata.name"), 13);
    }

    #[test]
    fn lists_stand_for_their_items() {
        let text = "apiVersion: v1\nkind: List\nitems:\n- kind: A\n  spec: {x: 1}\n- kind: B\n  spec:\n    x: 1\n";
        let (documents, _) = documents_of(Path::new("f.yaml"), text);
        assert_eq!(documents.len(), 2);
        assert_eq!(documents[1].value["kind"], "B");
        assert_eq!((documents[1].line_of("spec.x"), documents[1].line_of("zzz")), (8, 6));
    }

    #[test]
    fn a_broken_document_does_not_hide_the_others() {
        let (documents, errors) =
            documents_of(Path::new("f.yaml"), "kind: A\n---\nkind: [\nx\n---\nkind: C\nkind: D\n---\nkind: E\n");
        assert_eq!(documents.len(), 2);
        let messages: Vec<String> = errors.iter().map(ToString::to_string).collect();
        assert!(messages[0].starts_with("f.yaml:"), "{messages:?}");
        assert!(messages[1].starts_with("f.yaml:7: "), "{messages:?}");
    }
}
