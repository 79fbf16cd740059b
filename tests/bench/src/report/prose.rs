//! Prose at the width of the documents.
//!
//! Called by the report. Never touches a table, a plot or a block of code.

use textwrap::{Options, WordSeparator, WordSplitter};

const COLUMNS: usize = 100;

/// The paragraphs and list items of a document of Markdown, wrapped.
pub(super) fn wrapped(document: &str) -> String {
    let mut text = String::with_capacity(document.len());
    let mut is_code = false;
    for line in document.lines() {
        let is_fence = line.starts_with("```");
        is_code ^= is_fence;
        if is_code || is_fence || line.starts_with(['|', '!']) {
            text += line;
        } else {
            let indent = if line.starts_with("* ") { "  " } else { "" };
            let options = Options::new(COLUMNS)
                .subsequent_indent(indent)
                .word_separator(WordSeparator::AsciiSpace)
                .word_splitter(WordSplitter::NoHyphenation)
                .break_words(false);
            text += &textwrap::fill(line, options);
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prose_is_wrapped_and_nothing_else() {
        let words = ["word"; 40].join(" ");
        let document = format!(
            "# Title\n\n{words}\n\n* {words}\n\n| {words} |\n\n```sh\n{words}\n```\n![{words}](a.svg)\n"
        );
        let text = wrapped(&document);
        assert_eq!(
            text.split_whitespace().collect::<Vec<_>>(),
            document.split_whitespace().collect::<Vec<_>>()
        );
        let wide: Vec<_> = text.lines().filter(|line| line.len() > COLUMNS).collect();
        assert_eq!(wide, [&format!("| {words} |"), &words, &format!("![{words}](a.svg)")]);
        assert!(text.contains("\n* word") && text.contains("\n  word"), "{text}");
    }
}
