//! Imports: begun by one call, filled by others, and read again line by line where lines were refused.

mod columns;
mod lines;
#[cfg(test)]
mod parser_tests;
mod read;
mod send;
mod split;

use http::StatusCode;
use payment_runs_engine::command::Command;
use payment_runs_engine::ids::{ImportId, Key};
use payment_runs_engine::import::{
    Import, ImportKind, LineFault, LineFaultCode, LineFormat, NewImport, RefusedLine,
};
use payment_runs_engine::ports::Output;
use payment_runs_engine::refusal::Field;
use payment_runs_stubs::ops::{list_import_faults, list_imports};
use payment_runs_stubs::{Category, Location, Rejection};
use payment_runs_types::ops::{
    self, CreateImportRequest, ErrorDetail, ImportFault, ImportFaultPage, ImportPage,
};

pub(super) use send::send;

use crate::call::Call;
use crate::cursor;
use crate::failure::{code_word, store_failure};
use crate::faults::Faults;
use crate::refused::Wording;
use crate::time::Zone;

/// Objects per page unless the caller says otherwise.
const SIZE_DEFAULT: u32 = 30;

/// Objects per page at most; the schema refuses more.
const SIZE_MAX: u32 = 99;

const WORDING: Wording = Wording { name, state: None };

fn name(field: Field) -> &'static str {
    payment_runs_engine::import::field_name(field)
}

/// Begins an import.
pub(super) async fn create(call: &Call<'_>, body: CreateImportRequest) -> Result<ops::Import, Rejection> {
    Faults::of_name("name", body.name.as_deref().unwrap_or_default())?;
    let zone = Zone::of(&call.settings().await?);
    let new = NewImport {
        id: ImportId::from_u128(call.app.ports.ids.next_id()),
        name: body.name,
        kind: engine_kind(&body.kind)?,
        format: engine_format(&body.format)?,
    };
    let answer = move |output: &Output| match output {
        Output::Import(import) => Some(write(import, &zone)),
        _ => None,
    };
    call.execute_as(StatusCode::CREATED, Command::CreateImport(new), &WORDING, answer).await
}

/// One import.
pub(super) async fn get(call: &Call<'_>, id: &str) -> Result<ops::Import, Rejection> {
    let import = find(call, id).await?;
    Ok(write(&import, &Zone::of(&call.settings().await?)))
}

async fn find(call: &Call<'_>, id: &str) -> Result<Import, Rejection> {
    let imports = &call.app.ports.imports;
    let found = match Key::new(id).as_id() {
        Some(number) => {
            imports.find_import(call.scope(), call.caller.user, ImportId::from_u128(number)).await
        }
        None => Ok(None),
    };
    found.map_err(|error| store_failure(&error))?.ok_or_else(|| no_import(id))
}

fn no_import(id: &str) -> Rejection {
    // The identifier is the caller's own text; a long one is not worth repeating.
    const ID_CHARS_MAX: usize = 64;
    let id: String = id.chars().take(ID_CHARS_MAX).collect();
    Rejection::at(Category::NotFound, Location::Path, "id", format!("there is no import {id}"))
}

/// One page of the imports that exist for the caller, newest first.
pub(super) async fn list(call: &Call<'_>, query: list_imports::Query) -> Result<ImportPage, Rejection> {
    let (scope, user) = (call.scope(), call.caller.user);
    let (entity, who) = (scope.entity.0.to_be_bytes(), user.to_bytes());
    let list: [&[u8]; 3] = [b"imports", &entity, if scope.organizations.is_some() { &who } else { b"" }];
    let key = &call.app.settings.cursor_key;
    let before = match &query.cursor {
        None => None,
        Some(text) => Some(position::<16>(key, &list, text).map(ImportId::from_bytes)?),
    };
    let size = page_size(query.page_size);
    let imports = call.app.ports.imports.list_imports(scope, user, before, size + 1).await;
    let mut imports = imports.map_err(|error| store_failure(&error))?;
    let end = cut(&mut imports, size).map(|import| cursor::sign(key, &list, &import.id.to_bytes()));
    let zone = Zone::of(&call.settings().await?);
    Ok(ImportPage { data: imports.iter().map(|import| write(import, &zone)).collect(), next_page: end })
}

/// One page of the lines of an import that were refused.
pub(super) async fn faults(
    call: &Call<'_>,
    id: &str,
    query: list_import_faults::Query,
) -> Result<ImportFaultPage, Rejection> {
    let import = find(call, id).await?;
    let entity = call.scope().entity.0.to_be_bytes();
    let import_bytes = import.id.to_bytes();
    let list: [&[u8]; 3] = [b"import-faults", &entity, &import_bytes];
    let key = &call.app.settings.cursor_key;
    let after = match &query.cursor {
        None => 0,
        Some(text) => position::<8>(key, &list, text).map(u64::from_be_bytes)?,
    };
    let size = page_size(query.page_size);
    let lines = call.app.ports.imports.list_refused_lines(call.scope(), import.id, after, size + 1).await;
    let mut lines = lines.map_err(|error| store_failure(&error))?;
    let end = cut(&mut lines, size).map(|line| cursor::sign(key, &list, &line.line.to_be_bytes()));
    Ok(ImportFaultPage { data: lines.into_iter().map(write_refused).collect(), next_page: end })
}

fn page_size(asked: Option<i32>) -> u32 {
    asked.and_then(|size| u32::try_from(size).ok()).unwrap_or(SIZE_DEFAULT).clamp(1, SIZE_MAX)
}

/// Cuts what was read beyond the page; the last one of the page where there is more.
fn cut<T>(list: &mut Vec<T>, size: u32) -> Option<&T> {
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    let is_last = list.len() <= size;
    list.truncate(size);
    list.last().filter(|_| !is_last)
}

fn position<const N: usize>(key: &[u8; 32], list: &[&[u8]], text: &str) -> Result<[u8; N], Rejection> {
    let bytes = cursor::read(key, list, text).and_then(|bytes| bytes.try_into().ok());
    bytes.ok_or_else(|| {
        let message = "is stale or was made for another list: start again without it";
        Rejection::at(Category::InvalidParameter, Location::Query, "cursor", message)
    })
}

fn write(import: &Import, zone: &Zone) -> ops::Import {
    let count = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    ops::Import {
        id: import.id.to_string(),
        name: import.name.clone(),
        kind: match import.kind {
            ImportKind::Accounts => ops::ImportKind::Accounts,
            ImportKind::PaymentMethods => ops::ImportKind::PaymentMethods,
            ImportKind::Documents => ops::ImportKind::Documents,
            ImportKind::Credits => ops::ImportKind::Credits,
        },
        format: match import.format {
            LineFormat::Named => ops::ImportFormat::Ndjson,
            LineFormat::Columns => ops::ImportFormat::Csv,
        },
        next_line: count(import.next_line),
        lines_stored: count(import.stored),
        lines_refused: count(import.refused),
        created_at: zone.with_offset(import.stamps.created_at),
        updated_at: zone.with_offset(import.stamps.updated_at),
    }
}

fn engine_kind(kind: &ops::ImportKind) -> Result<ImportKind, Rejection> {
    match kind {
        ops::ImportKind::Accounts => Ok(ImportKind::Accounts),
        ops::ImportKind::PaymentMethods => Ok(ImportKind::PaymentMethods),
        ops::ImportKind::Documents => Ok(ImportKind::Documents),
        ops::ImportKind::Credits => Ok(ImportKind::Credits),
        ops::ImportKind::Unknown(_) => Err(unknown_value("kind")),
    }
}

fn engine_format(format: &ops::ImportFormat) -> Result<LineFormat, Rejection> {
    match format {
        ops::ImportFormat::Ndjson => Ok(LineFormat::Named),
        ops::ImportFormat::Csv => Ok(LineFormat::Columns),
        ops::ImportFormat::Unknown(_) => Err(unknown_value("format")),
    }
}

fn unknown_value(field: &'static str) -> Rejection {
    Rejection::at(Category::InvalidValue, Location::Body, field, "is not a known value")
}

fn write_refused(line: RefusedLine) -> ImportFault {
    ImportFault {
        line: i64::try_from(line.line).unwrap_or(i64::MAX),
        errors: line.faults.into_iter().map(write_fault).collect(),
    }
}

fn write_fault(fault: LineFault) -> ErrorDetail {
    let category = match fault.code {
        LineFaultCode::Malformed => Category::MalformedJson,
        LineFaultCode::MissingField => Category::MissingField,
        LineFaultCode::UnknownField => Category::UnknownField,
        LineFaultCode::InvalidValue => Category::InvalidValue,
        LineFaultCode::NotFound => Category::NotFound,
        LineFaultCode::Taken | LineFaultCode::Forbidden => Category::BusinessRule,
    };
    ErrorDetail {
        code: code_word(category).to_owned(),
        parameter: (!fault.field.is_empty()).then_some(fault.field),
        message: fault.message,
    }
}
