//! Text that others wrote, made safe for where it is shown.

use std::fmt::Write as _;

/// Whether a character changes how others are shown: controls, and marks of direction or of no width.
fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// The text with control and bidirectional characters shown as code points, such as `<U+202E>`.
pub fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if is_hidden(character) {
            let _ = write!(shown, "<U+{:04X}>", u32::from(character));
        } else {
            shown.push(character);
        }
    }
    shown
}

/// The text for a place in Markdown: nothing in it is markup, a link, HTML, or the end of a table's cell.
pub fn markdown(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    let shown = visible(text);
    for (index, character) in shown.char_indices() {
        let begins_line = shown[..index].trim_start().is_empty();
        let is_markup = match character {
            // Mentions of people too.
            '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '|' | '~' | '&' | '$' | '@' => true,
            // Links by themselves.
            ':' => shown[index..].starts_with("://"),
            // A heading, a list or a rule, at the beginning only.
            '#' => begins_line,
            '+' | '-' | '=' => begins_line && !shown[index + 1..].starts_with(|next: char| next.is_ascii_digit()),
            '.' | ')' => {
                let is_numbered = index > 0 && shown[..index].bytes().all(|before| before.is_ascii_digit());
                is_numbered && !shown[index + 1..].starts_with(|next: char| !next.is_whitespace())
            }
            _ => false,
        };
        if is_markup {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    // The dot of a bare `www.` would make a link.
    escaped.replace("www.", "www\\.")
}

/// One field of CSV after RFC 4180. What a spreadsheet would take for a formula gets an apostrophe, a plain number not.
pub fn csv_field(text: &str) -> String {
    let text = visible(text);
    let is_number = text.parse::<f64>().is_ok_and(f64::is_finite);
    let is_formula = text.trim_start().starts_with(['=', '+', '-', '@']) && !is_number;
    let safe = if is_formula { format!("'{text}") } else { text };
    if safe.contains(['"', ',', '\n', '\r']) || safe.starts_with(' ') || safe.ends_with(' ') {
        format!("\"{}\"", safe.replace('"', "\"\""))
    } else {
        safe
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_characters_are_shown_as_code_points() {
        assert_eq!(visible("a\u{202e}b\u{1b}[2J\nc"), "a<U+202E>b<U+001B>[2J<U+000A>c");
        assert_eq!(visible("Müller & Söhne 東京"), "Müller & Söhne 東京");
    }

    #[test]
    fn markdown_is_text_only() {
        for (text, escaped) in [
            ("plain text, 99.9 %", "plain text, 99.9 %"),
            ("a|b", "a\\|b"),
            ("# heading", "\\# heading"),
            ("1. list", "1\\. list"),
            ("1.5", "1.5"),
            ("- list", "\\- list"),
            ("-0.7 %", "-0.7 %"),
            ("<script>", "\\<script\\>"),
            ("[x](http://y)", "\\[x\\](http\\://y)"),
            ("*b* _i_ `c` ~s~", "\\*b\\* \\_i\\_ \\`c\\` \\~s\\~"),
            ("www.example.com", "www\\.example.com"),
            ("a\nb", "a\\<U+000A\\>b"),
            ("R&D &amp;", "R\\&D \\&amp;"),
        ] {
            assert_eq!(markdown(text), escaped, "{text:?}");
        }
    }

    #[test]
    fn csv_fields_are_quoted_and_no_formulas() {
        for (text, field) in [
            ("plain", "plain"),
            ("a,b", "\"a,b\""),
            ("say \"x\"", "\"say \"\"x\"\"\""),
            ("=1+1", "'=1+1"),
            ("@x", "'@x"),
            ("+1-2", "'+1-2"),
            ("-5", "-5"),
            ("-0.7", "-0.7"),
            ("-cmd|x", "'-cmd|x"),
            (" =1", "' =1"),
        ] {
            assert_eq!(csv_field(text), field, "{text:?}");
        }
    }
}
