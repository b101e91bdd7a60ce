//! Pages of lists: their size, and the signed cursors that lead from one to the next.

use payment_runs_stubs::{Category, Location, Rejection};

use crate::call::Call;
use crate::cursor;

/// Items per page unless the caller says otherwise.
const SIZE_DEFAULT: u32 = 30;

/// Items per page at most; the schema refuses more.
const SIZE_MAX: u32 = 99;

/// How many items the caller wants on a page.
pub(super) fn size(asked: Option<i32>) -> u32 {
    asked.and_then(|size| u32::try_from(size).ok()).unwrap_or(SIZE_DEFAULT).clamp(1, SIZE_MAX)
}

/// A list, by everything that decides what is in it, and so which cursors belong to it.
pub(super) struct List<'a> {
    call: &'a Call<'a>,
    parts: Vec<Vec<u8>>,
}

impl<'a> List<'a> {
    /// The list of this name that the caller sees.
    pub(super) fn new(name: &str, call: &'a Call<'a>) -> Self {
        let scope = call.scope();
        let organizations = scope.organizations.iter().flatten();
        let organizations = organizations.flat_map(|one| one.to_bytes()).collect::<Vec<u8>>();
        let bound = [u8::from(scope.organizations.is_some())].into_iter().chain(organizations).collect();
        Self { call, parts: vec![name.as_bytes().to_vec(), scope.entity.0.to_be_bytes().to_vec(), bound] }
    }

    /// The same list under one more condition.
    pub(super) fn with(mut self, condition: Option<&str>) -> Self {
        self.parts.push(condition.unwrap_or_default().as_bytes().to_vec());
        self
    }

    /// Where the page starts, as the cursor says.
    pub(super) fn start<const N: usize>(&self, cursor: Option<&str>) -> Result<Option<[u8; N]>, Rejection> {
        let Some(text) = cursor else { return Ok(None) };
        let bytes = cursor::read(&self.call.app.settings.cursor_key, &self.refs(), text);
        let position = bytes.and_then(|bytes| <[u8; N]>::try_from(bytes.as_slice()).ok());
        let message = "is stale or was made for another list: start again without it";
        let foreign = || Rejection::at(Category::InvalidParameter, Location::Query, "cursor", message);
        position.map(Some).ok_or_else(foreign)
    }

    /// Cuts a page off items of which one more was asked for, and gives the cursor of the next page where there is one.
    pub(super) fn cut<T, const N: usize>(
        &self,
        items: &mut Vec<T>,
        size: u32,
        position: impl Fn(&T) -> [u8; N],
    ) -> Option<String> {
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        if items.len() <= size {
            return None;
        }
        items.truncate(size);
        let last = position(items.last()?);
        Some(cursor::sign(&self.call.app.settings.cursor_key, &self.refs(), &last))
    }

    fn refs(&self) -> Vec<&[u8]> {
        self.parts.iter().map(Vec::as_slice).collect()
    }
}
