//! Printing: quiet when the reader has gone, colours only on a terminal, tables in the style of kubectl.

use std::fmt::Write as _;
use std::io::{self, IsTerminal as _, Write as _};

use anstyle::{AnsiColor, Style};

use crate::report::text::visible;

/// Styles of the words that matter; they vanish where the output is no terminal or `NO_COLOR` is set.
pub(super) const BAD: Style = AnsiColor::Red.on_default().bold();
/// What deserves a look.
pub(super) const ODD: Style = AnsiColor::Yellow.on_default();
/// All is well.
pub(super) const GOOD: Style = AnsiColor::Green.on_default();

/// Prints a text to standard output, colours only if that is a terminal.
pub(super) fn print(text: &str) -> io::Result<()> {
    let mut out = anstream::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// A text in a style.
pub(super) fn styled(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}

/// Style of a verdict or state.
pub(super) fn style_of(word: &str) -> Option<Style> {
    match word {
        "Missed" | "Breached" | "Broken" | "error" => Some(BAD),
        "AtRisk" | "Indeterminate" | "warning" => Some(ODD),
        "Met" | "OnTrack" | "Verified" => Some(GOOD),
        _ => None,
    }
}

/// A table in the style of kubectl: upper-case heads, columns separated by three spaces, no lines.
#[derive(Debug)]
pub(super) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(super) fn new(heads: &[&str]) -> Self {
        Self { rows: vec![heads.iter().map(|&head| head.to_owned()).collect()] }
    }

    /// Adds a row; control characters are shown, since a cell may hold what others wrote.
    pub(super) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().map(|cell| visible(&cell)).collect());
    }

    /// The table as text; words that [`style_of`] knows are coloured.
    pub(super) fn render(&self) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            self.rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let mut text = String::new();
        for row in &self.rows {
            for (column, cell) in row.iter().enumerate() {
                let shown = style_of(cell).map_or_else(|| cell.clone(), |style| styled(style, cell));
                let is_last = row.len() == column + 1;
                let padding = if is_last { 0 } else { widths[column] - cell.chars().count() + 3 };
                let _ = write!(text, "{shown}{:padding$}", "");
            }
            text.push('\n');
        }
        text
    }
}

/// A line on standard error that says how far long work is; only on a terminal, and gone when the work is done.
#[derive(Debug)]
pub(super) struct Progress {
    shown: bool,
    is_terminal: bool,
}

impl Progress {
    pub(super) fn new() -> Self {
        Self { shown: false, is_terminal: io::stderr().is_terminal() }
    }

    /// Replaces the line.
    pub(super) fn show(&mut self, text: &str) {
        if self.is_terminal {
            self.shown = true;
            let _ = write!(io::stderr(), "\r\x1b[2K{text}");
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.shown {
            let _ = write!(io::stderr(), "\r\x1b[2K");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_three_spaces_apart() {
        let mut table = Table::new(&["NAME", "VERDICT", "AGE"]);
        table.row(["checkout-gold".to_owned(), "Met".to_owned(), "3d".to_owned()]);
        table.row(["b\u{1b}[2J".to_owned(), "-".to_owned(), "1d".to_owned()]);
        let plain = anstream::adapter::strip_str(&table.render()).to_string();
        assert_eq!(
            plain,
            "NAME            VERDICT   AGE\ncheckout-gold   Met       3d\nb<U+001B>[2J    -         1d\n"
        );
    }
}
