//! What people see while the demo is at work.

use indicatif::ProgressBar;

/// Where words and bars go: words to standard output, unless that is kept for the result alone. Bars go to standard error,
/// and only to a terminal.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Screen {
    output_is_for_the_result: bool,
}

const COLORED: &str = "{msg:<12} {bar:40.cyan/blue} {human_pos} of {human_len}";
const PLAIN: &str = "{msg:<12} {bar:40} {human_pos} of {human_len}";

impl Screen {
    /// A screen; with `output_is_for_the_result` words go to standard error.
    pub(crate) fn new(output_is_for_the_result: bool) -> Self {
        Self { output_is_for_the_result }
    }

    /// Shows words and a line's end.
    pub(crate) fn say(self, words: impl std::fmt::Display) {
        if self.output_is_for_the_result {
            eprintln!("{words}");
        } else {
            println!("{words}");
        }
    }

    /// A bar that is drawn where there is a terminal.
    pub(crate) fn bar(message: &'static str, length: u64) -> ProgressBar {
        crate::bar(Some(length), COLORED, PLAIN).with_message(message)
    }
}
