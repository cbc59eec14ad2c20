//! The invariants of the architecture that the sources themselves can show.

use std::path::{Path, PathBuf};

/// A source file, with its path below `src` or `tests/it`.
struct Source {
    path: String,
    text: String,
}

fn sources(folder: &str) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut found = Vec::new();
    let mut folders: Vec<PathBuf> = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") {
                let name = path.strip_prefix(&root).unwrap().to_string_lossy().into_owned();
                found.push(Source { path: name, text: std::fs::read_to_string(&path).unwrap() });
            }
        }
    }
    found.sort_by(|one, other| one.path.cmp(&other.path));
    found
}

impl Source {
    /// First folder or file: `domain` of `domain/time.rs`, `main` of `main.rs`.
    fn layer(&self) -> &str {
        self.path.split('/').next().unwrap_or_default().trim_end_matches(".rs")
    }

    fn is_test(&self) -> bool {
        ["tests.rs", "properties.rs"].iter().any(|name| self.path.ends_with(name)) || self.path.contains("/tests/")
    }

    /// The lines of code with their numbers: without comments, texts and tests.
    fn code(&self) -> Vec<(usize, String)> {
        let mut lines = self.text.lines().enumerate().peekable();
        let mut code = Vec::new();
        while let Some((index, line)) = lines.next() {
            if line == "#[cfg(test)]" {
                // `mod tests;` is one line; `mod tests {` goes on to its closing brace.
                let opens = lines.next().is_some_and(|(_, module)| module.ends_with('{'));
                while opens && lines.next().is_some_and(|(_, line)| line != "}") {}
                continue;
            }
            code.push((index + 1, without_texts(line)));
        }
        code
    }

    fn find(&self, words: &[&str]) -> Vec<String> {
        let hit = |(number, line): &(usize, String)| {
            let word = words.iter().find(|word| has_word(line, word))?;
            Some(format!("{}:{number}: {word}", self.path))
        };
        self.code().iter().filter_map(hit).collect()
    }
}

/// A line without its comment and without what stands between quotes.
fn without_texts(line: &str) -> String {
    let mut plain = String::new();
    let mut quoted = false;
    let mut before = ' ';
    for character in line.chars() {
        if character == '"' && before != '\\' && before != '\'' {
            quoted = !quoted;
        } else if !quoted {
            plain.push(character);
        }
        before = if before == '\\' { ' ' } else { character };
    }
    plain.split("//").next().unwrap_or_default().to_owned()
}

/// Whether a line has the words, not as the end of a longer name.
fn has_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        !word.starts_with(|first: char| first.is_alphanumeric())
            || !line[..at].ends_with(|before: char| before.is_alphanumeric() || before == '_')
    })
}

fn hold(rule: &str, broken: &[String]) {
    assert!(broken.is_empty(), "{rule}:\n{}", broken.join("\n"));
}

/// Names of `std::<name>` that do I/O, also inside `use std::{...}`.
const IMPURE_STD: [&str; 5] = ["fs", "env", "net", "process", "thread"];

fn uses_std(line: &str) -> Option<&'static str> {
    let inside = line.trim_start().strip_prefix("use std::{");
    IMPURE_STD.into_iter().find(|name| {
        has_word(line, &format!("std::{name}"))
            || inside.is_some_and(|list| list.split([',', '{', '}', ':', ' ']).any(|part| part == *name))
    })
}

#[test]
fn the_core_is_pure() {
    let forbidden = [
        "kube::Client",
        "kube::client",
        "kube::api",
        "kube::runtime",
        "kube::Api",
        "kube::Config",
        "tokio::",
        "tracing::",
        "futures::",
        "async fn",
        ".await",
        "now(",
        "println!",
        "eprintln!",
    ];
    let mut broken = Vec::new();
    for source in sources("src").iter().filter(|source| ["api", "domain"].contains(&source.layer())) {
        broken.extend(source.find(&forbidden));
        for (number, line) in source.code() {
            broken.extend(uses_std(&line).map(|name| format!("{}:{number}: std::{name}", source.path)));
        }
        if source.layer() == "domain" {
            broken.extend(source.find(&["kube::"]));
        }
    }
    hold("api and domain do no I/O and know no client, runtime, clock or log", &broken);
}

/// What each layer may use of the others.
const LAYERS: [(&str, &[&str]); 8] = [
    ("api", &[]),
    ("domain", &["api"]),
    ("telemetry", &["api", "domain"]),
    ("report", &["api", "domain"]),
    ("observe", &["api", "domain", "telemetry"]),
    ("admission", &["api", "domain"]),
    ("control", &["api", "domain", "report", "observe", "admission", "telemetry", "config"]),
    ("cli", &["api", "domain", "report", "observe", "admission", "control", "telemetry", "config"]),
];

#[test]
fn dependencies_point_one_way() {
    let mut broken = Vec::new();
    for source in sources("src") {
        let Some((layer, allowed)) = LAYERS.iter().find(|(layer, _)| *layer == source.layer()) else {
            continue;
        };
        let allows =
            |name: &str| name == *layer || allowed.contains(&name) || LAYERS.iter().all(|(other, _)| *other != name);
        let code = join(&source.code());
        let used = code.match_indices("crate::").flat_map(|(at, word)| first_names(&code[at + word.len()..]));
        broken.extend(used.filter(|name| !allows(name)).map(|name| format!("{}: {layer} uses {name}", source.path)));
    }
    hold("api ← domain ← observe, report, admission, control ← cli", &broken);
}

#[test]
fn only_apply_writes_to_the_api_server() {
    let verbs =
        [".patch(", ".patch_status(", ".create(", ".replace(", ".replace_status(", ".delete(", ".delete_collection("];
    let may_write = |path: &str| {
        let file = path.strip_prefix("control/").unwrap_or_default();
        file == "apply.rs" || ["apply/", "lease", "events"].iter().any(|begin| file.starts_with(begin))
    };
    let all = sources("src");
    // An index in memory has a `delete` too: a write is awaited, or stands in a file that names the client library.
    let is_write = |source: &Source, at: usize| {
        let code = source.code();
        let names_client = code.iter().any(|(_, line)| has_word(line, "kube::") || has_word(line, "Api<"));
        let mut statement = code.iter().skip_while(|(number, _)| *number < at).take(8);
        names_client
            || statement
                .find_map(|(_, line)| line.contains(".await").then_some(true).or(line.contains(';').then_some(false)))
                == Some(true)
    };
    let mut broken = Vec::new();
    for source in all.iter().filter(|source| !may_write(&source.path)) {
        let hits = source.find(&verbs);
        let line_of = |hit: &String| hit.split(':').nth(1).and_then(|number| number.parse().ok()).unwrap_or(0);
        broken.extend(hits.into_iter().filter(|hit| is_write(source, line_of(hit))));
    }
    hold("only control/apply.rs, the Lease and Events write", &broken);
}

#[test]
fn there_is_one_clock() {
    let clocks = ["Timestamp::now", "Instant::now", "SystemTime::now", "Zoned::now", "ZonedDateTime::now"];
    let all = sources("src");
    let broken: Vec<String> =
        all.iter().filter(|source| source.path != "control/clock.rs").flat_map(|source| source.find(&clocks)).collect();
    hold("only control/clock.rs asks what time it is", &broken);
}

/// The first names of a path: `api` of `api::Service`, `api` and `domain` of `{api::{Service}, domain}`.
fn first_names(path: &str) -> Vec<&str> {
    let Some(list) = path.strip_prefix('{') else {
        return vec![first_word(path)];
    };
    let (mut names, mut depth, mut begin) = (Vec::new(), 0, 0);
    for (at, character) in list.char_indices() {
        match character {
            '{' => depth += 1,
            '}' if depth == 0 => {
                names.push(first_word(&list[begin..at]));
                break;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                names.push(first_word(&list[begin..at]));
                begin = at + 1;
            }
            _ => {}
        }
    }
    names
}

fn first_word(text: &str) -> &str {
    text.trim_start().split(|end: char| !end.is_alphanumeric() && end != '_').next().unwrap_or_default()
}

/// Files that are too long still, with the length that they may not exceed. The list may only get shorter.
const STILL_TOO_LONG: [(&str, usize); 2] = [("api/agreement.rs", 480), ("api/service.rs", 430)];

/// Functions that are too long still.
const STILL_LONG_FUNCTIONS: [(&str, &str); 1] = [("control/world/services.rs", "apply_service")];

const FILE_LINES: usize = 400;
/// Files with tests in them, and tests.
const TEST_FILE_LINES: usize = 500;
const FUNCTION_LINES: usize = 70;
/// "About": a table or a match may be somewhat longer.
const FUNCTION_LINES_AT_MOST: usize = 80;

#[test]
fn files_are_short() {
    let too_long = |folder: &str, source: &Source, most: usize| {
        let lines = source.text.lines().count();
        (lines > most).then(|| format!("{folder}/{}: {lines} lines", source.path))
    };
    let mut broken = Vec::new();
    for source in sources("src") {
        let known = STILL_TOO_LONG.iter().find(|(path, _)| *path == source.path).map(|(_, lines)| *lines);
        let most = if source.is_test() { TEST_FILE_LINES } else { known.unwrap_or(FILE_LINES) };
        // What a file tests of itself does not count: it stands beside the code.
        let code = Source { path: source.path.clone(), text: join(&source.code()) };
        broken.extend(too_long("src", &code, most).or_else(|| too_long("src", &source, TEST_FILE_LINES + 50)));
        if known.is_some() && code.text.lines().count() <= FILE_LINES {
            broken.push(format!("src/{}: short enough now, take it from STILL_TOO_LONG", source.path));
        }
    }
    for folder in ["tests/it", "tests/support/src"] {
        broken.extend(sources(folder).iter().filter_map(|source| too_long(folder, source, TEST_FILE_LINES)));
    }
    hold("files are about 400 lines at most, tests 500", &broken);
}

fn join(lines: &[(usize, String)]) -> String {
    lines.iter().map(|(_, line)| line.as_str()).collect::<Vec<_>>().join("\n")
}

/// By layout: a function ends at the first closing brace that is indented like its beginning.
#[test]
fn functions_are_short() {
    let mut broken = Vec::new();
    for source in sources("src") {
        let code = source.code();
        for (index, (number, line)) in code.iter().enumerate() {
            let indent = line.len() - line.trim_start().len();
            let begins = [
                "fn ",
                "pub fn ",
                "pub(crate) fn ",
                "pub(super) fn ",
                "async fn ",
                "pub async fn ",
                "const fn ",
                "pub const fn ",
            ];
            if !begins.iter().any(|begin| line[indent..].starts_with(begin))
                || line.ends_with(';')
                || line.ends_with('}')
            {
                continue;
            }
            let end = code[index..].iter().position(|(_, line)| line.trim_end() == format!("{}}}", " ".repeat(indent)));
            let length = end.map_or(0, |end| end + 1);
            let known = STILL_LONG_FUNCTIONS
                .iter()
                .any(|(path, name)| *path == source.path && line.contains(&format!("fn {name}(")));
            if length > FUNCTION_LINES_AT_MOST && !known {
                broken.push(format!("src/{}:{number}: {length} lines", source.path));
            }
        }
    }
    hold(&format!("functions are about {FUNCTION_LINES} lines at most"), &broken);
}

#[test]
fn every_file_says_what_it_is() {
    let mut broken = Vec::new();
    for folder in ["src", "tests/it", "tests/support/src"] {
        let undocumented = |source: &&Source| !source.text.starts_with("//! ") && !source.path.ends_with("tests.rs");
        broken.extend(sources(folder).iter().filter(undocumented).map(|source| format!("{folder}/{}", source.path)));
    }
    hold("every file begins with what it is", &broken);
}

#[test]
fn names_of_paths_are_found() {
    assert_eq!(first_names("api::Service;"), ["api"]);
    assert_eq!(first_names("{\n    api::{Service, agreement},\n    domain,\n};"), ["api", "domain", ""]);
}

/// The search itself: what it finds, and what it passes over.
#[test]
fn texts_and_comments_are_no_code() {
    let source = Source {
        path: "domain/x.rs".to_owned(),
        text: "let a = \"std::fs now(\"; // now(\nlet b = renow();\nlet c = Timestamp::now();\n#[cfg(test)]\nmod tests {\nnow()\n}\n".to_owned(),
    };
    assert_eq!(source.find(&["now("]), ["domain/x.rs:3: now("]);
    assert_eq!(uses_std("use std::{collections::HashMap, env};"), Some("env"));
    assert_eq!(uses_std("use std::collections::HashMap;"), None);
    assert_eq!(uses_std("let x = std::process::id();"), Some("process"));
}
