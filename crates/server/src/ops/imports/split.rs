//! From the bytes of a body to its lines, in bounded memory.

use payment_runs_engine::import::LINE_BYTES_MAX;

/// What a line is before it is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Text<'a> {
    /// Its bytes.
    Whole(&'a [u8]),
    /// It has more than [`LINE_BYTES_MAX`] bytes, which were passed over.
    TooLong,
}

/// Cuts a body at its line ends.
#[derive(Debug, Default)]
pub(super) struct Splitter {
    /// The beginning of a line whose end has not arrived yet.
    begun: Vec<u8>,
    is_too_long: bool,
    /// Something of the body was seen: what comes next is no longer its first line.
    is_under_way: bool,
}

impl Splitter {
    /// Takes bytes in, and gives each line that ends in them.
    pub(super) fn push(&mut self, mut bytes: &[u8], mut each: impl FnMut(Text<'_>)) {
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            let (line, rest) = (&bytes[..end], &bytes[end + 1..]);
            self.end_line(line, &mut each);
            bytes = rest;
        }
        self.keep(bytes);
    }

    /// The body has ended: what stands after its last line end is a line, too, unless it is nothing.
    pub(super) fn finish(&mut self, each: impl FnOnce(Text<'_>)) {
        if self.is_too_long || !self.begun.is_empty() {
            let mut each = Some(each);
            self.end_line(b"", &mut |text| {
                if let Some(each) = each.take() {
                    each(text);
                }
            });
        }
    }

    fn end_line(&mut self, line: &[u8], each: &mut impl FnMut(Text<'_>)) {
        let is_first = !std::mem::replace(&mut self.is_under_way, true);
        if self.begun.is_empty() && !self.is_too_long && line.len() <= LINE_BYTES_MAX {
            each(Text::Whole(trimmed(line, is_first)));
            return;
        }
        self.keep(line);
        if std::mem::take(&mut self.is_too_long) {
            each(Text::TooLong);
        } else {
            each(Text::Whole(trimmed(&self.begun, is_first)));
        }
        self.begun.clear();
    }

    fn keep(&mut self, bytes: &[u8]) {
        if self.is_too_long || self.begun.len() + bytes.len() > LINE_BYTES_MAX {
            self.is_too_long = true;
            self.begun.clear();
        } else {
            self.begun.extend_from_slice(bytes);
        }
    }
}

/// Without the carriage return of some systems, and without the mark that some programs put before a file's first line.
fn trimmed(line: &[u8], is_first: bool) -> &[u8] {
    const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if is_first { line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line) } else { line }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(body: &[u8], size: usize) -> Vec<String> {
        let mut splitter = Splitter::default();
        let mut lines = Vec::new();
        let mut each = |text: Text<'_>| {
            lines.push(match text {
                Text::Whole(bytes) => String::from_utf8_lossy(bytes).into_owned(),
                Text::TooLong => "too long".to_owned(),
            });
        };
        for piece in body.chunks(size) {
            splitter.push(piece, &mut each);
        }
        splitter.finish(&mut each);
        lines
    }

    #[test]
    fn lines_are_the_same_however_they_arrive() {
        for size in [1, 2, 3, 7, 1_000] {
            assert_eq!(lines(b"one\ntwo\r\n\nfour", size), ["one", "two", "", "four"], "pieces of {size}");
            assert_eq!(lines(b"\xef\xbb\xbfone\n\xef\xbb\xbftwo\n", size), ["one", "\u{feff}two"]);
            assert!(lines(b"", size).is_empty());
            assert_eq!(lines(b"\n", size), [""]);
        }
    }

    #[test]
    fn a_line_that_is_too_long_is_passed_over() {
        let most = "x".repeat(LINE_BYTES_MAX);
        let body = format!("a\n{most}\n{most}y\nb\n{most}{most}");
        for size in [1_000, LINE_BYTES_MAX, usize::MAX] {
            assert_eq!(lines(body.as_bytes(), size), ["a", &most, "too long", "b", "too long"]);
        }
        let mut splitter = Splitter::default();
        for _ in 0..1_000 {
            splitter.push(&[b'x'; 1_000], |_| panic!("no line has ended"));
        }
        assert!(splitter.begun.capacity() <= 2 * LINE_BYTES_MAX);
    }
}
