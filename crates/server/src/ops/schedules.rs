//! Schedules of payment runs.

mod read;
mod write;

use http::StatusCode;
use payment_runs_engine::command::Command;
use payment_runs_engine::ids::{Key, ScheduleId};
use payment_runs_engine::ports::{Output, ScheduleQuery};
use payment_runs_engine::refusal::{Field, Noun};
use payment_runs_engine::run_schedule::{self, NewSchedule, ScheduleChange, ScheduleStatus};
use payment_runs_stubs::ops::list_schedules::Query;
use payment_runs_stubs::{Category, Location, Rejection};
use payment_runs_types::ops::{CreateScheduleRequest, Schedule, SchedulePage, UpdateScheduleRequest};

use self::read::{Given, template};
use self::write::whole;
use crate::call::{Call, unexpected_output};
use crate::change::require_charging;
use crate::cursor;
use crate::failure::store_failure;
use crate::faults::Faults;
use crate::refused::Wording;
use crate::time::Zone;

/// Schedules per page unless the caller says otherwise.
const SIZE_DEFAULT: u32 = 30;

/// Schedules per page at most; the schema refuses more.
const SIZE_MAX: u32 = 99;

const WORDING: Wording = Wording { name, state: None };
const CHANGE_WORDING: Wording =
    Wording { name, state: Some((Noun::Schedule, "the schedule has ended: make another one")) };

/// What the store refuses was checked here before, so these names are told only when something changed in between.
fn name(field: Field) -> &'static str {
    match field {
        Field::Path => "key",
        Field::Recurrence => "repeat_from",
        _ => "payment_run",
    }
}

/// One page of schedules, newest first.
pub(super) async fn list(call: &Call<'_>, query: Query) -> Result<SchedulePage, Rejection> {
    let list = ListName::of(call);
    let key = &call.app.settings.cursor_key;
    let after = match &query.cursor {
        None => None,
        Some(text) => Some(list.read(key, text).ok_or_else(foreign_cursor)?),
    };
    let size = query.page_size.and_then(|size| u32::try_from(size).ok()).unwrap_or(SIZE_DEFAULT);
    let size = size.clamp(1, SIZE_MAX);
    let asked = ScheduleQuery { after, limit: size + 1 };
    let found = call.app.ports.schedules.list_schedules(call.scope(), asked).await;
    let mut found = found.map_err(|error| store_failure(&error))?;
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    let is_last = found.len() <= size;
    found.truncate(size);
    let next_page = found.last().filter(|_| !is_last).map(|last| list.sign(key, last.id));
    let zone = Zone::of(&call.settings().await?);
    Ok(SchedulePage { data: found.iter().map(|schedule| whole(schedule, &zone)).collect(), next_page })
}

/// Everything that decides which schedules are in a list, and so which cursors belong to it.
struct ListName {
    entity: [u8; 4],
    organizations: Vec<u8>,
}

impl ListName {
    fn of(call: &Call<'_>) -> Self {
        let scope = call.scope();
        let organizations = scope.organizations.iter().flatten();
        Self {
            entity: scope.entity.0.to_be_bytes(),
            organizations: organizations.flat_map(|id| id.to_bytes()).collect(),
        }
    }

    fn parts(&self) -> [&[u8]; 3] {
        [b"schedules", &self.entity, &self.organizations]
    }

    fn sign(&self, key: &[u8; 32], last: ScheduleId) -> String {
        cursor::sign(key, &self.parts(), &last.to_bytes())
    }

    fn read(&self, key: &[u8; 32], text: &str) -> Option<ScheduleId> {
        let bytes = cursor::read(key, &self.parts(), text)?;
        Some(ScheduleId::from_bytes(bytes.try_into().ok()?))
    }
}

fn foreign_cursor() -> Rejection {
    let message = "is stale or was made for another list: start again without it";
    Rejection::at(Category::InvalidParameter, Location::Query, "cursor", message)
}

/// One schedule.
pub(super) async fn get(call: &Call<'_>, key: &str) -> Result<Schedule, Rejection> {
    let schedule = find(call, key).await?;
    let zone = Zone::of(&call.settings().await?);
    Ok(whole(&schedule, &zone))
}

/// Makes a schedule with the payment run of its first occurrence.
pub(super) async fn create(call: &Call<'_>, body: CreateScheduleRequest) -> Result<Schedule, Rejection> {
    let settings = call.settings().await?;
    let mut faults = Faults::default();
    faults.name("name", body.name.as_deref().unwrap_or_default());
    let recurrence = Given::of_new(&body).read(None, &settings.time_zone, &mut faults);
    if let Some(recurrence) = &recurrence {
        read::check_future(recurrence, call.app.now(), None, &mut faults);
    }
    let template = template(call, body.payment_run, &mut faults).await?;
    faults.finish()?;
    let (Some(recurrence), Some(template)) = (recurrence, template) else { return Err(unexpected_output()) };
    let id = ScheduleId::from_u128(call.app.ports.ids.next_id());
    let command = Command::CreateSchedule(NewSchedule { id, name: body.name, recurrence, template });
    call.execute_as(StatusCode::CREATED, command, &WORDING, answer(Zone::of(&settings))).await
}

/// Changes a schedule that has not ended, and the payment run that waits.
pub(super) async fn update(
    call: &Call<'_>,
    key: &str,
    body: UpdateScheduleRequest,
) -> Result<Schedule, Rejection> {
    let schedule = find(call, key).await?;
    if schedule.status != ScheduleStatus::Active {
        return Err(has_ended());
    }
    let what = "change a schedule whose payment runs charge payment methods";
    require_charging(call, schedule.template.options, what)?;
    let settings = call.settings().await?;
    let mut faults = Faults::default();
    faults.name("name", body.name.as_deref().unwrap_or_default());
    let given = Given::of_change(&body);
    let recurrence = given.read(Some(&schedule.recurrence), &settings.time_zone, &mut faults);
    let recurrence = recurrence.filter(|recurrence| *recurrence != schedule.recurrence);
    if let Some(recurrence) = &recurrence {
        read::check_future(recurrence, call.app.now(), schedule.used, &mut faults);
    }
    let template = match body.payment_run {
        Some(run) => template(call, run, &mut faults).await?,
        None => None,
    };
    faults.finish()?;
    let change = ScheduleChange { name: body.name, recurrence, template };
    let command = Command::UpdateSchedule(Key::new(schedule.id.to_string()), change);
    let done = call.execute(command, &CHANGE_WORDING, answer(Zone::of(&settings))).await;
    // It may have ended since it was found.
    done.map_err(|rejection| if is_about_state(&rejection) { has_ended() } else { rejection })
}

/// Ends a schedule.
pub(super) async fn end(call: &Call<'_>, key: &str) -> Result<Schedule, Rejection> {
    let schedule = find(call, key).await?;
    let zone = Zone::of(&call.settings().await?);
    let command = Command::EndSchedule(Key::new(schedule.id.to_string()));
    let output = call.run(command, &WORDING).await?;
    answer(zone)(&output).ok_or_else(unexpected_output)
}

fn answer(zone: Zone) -> impl Fn(&Output) -> Option<Schedule> + Clone + Send + 'static {
    move |output| match output {
        Output::Schedule(schedule) => Some(whole(schedule, &zone)),
        _ => None,
    }
}

async fn find(call: &Call<'_>, key: &str) -> Result<run_schedule::Schedule, Rejection> {
    let found = call.app.ports.schedules.find_schedule(call.scope(), &Key::new(key)).await;
    let found = found.map_err(|error| store_failure(&error))?;
    found.ok_or_else(|| {
        // The key is the caller's own text; a long one is not worth repeating.
        const KEY_CHARS_MAX: usize = 64;
        let key: String = key.chars().take(KEY_CHARS_MAX).collect();
        Rejection::at(Category::NotFound, Location::Path, "key", format!("there is no schedule {key}"))
    })
}

fn has_ended() -> Rejection {
    Rejection::new(Category::Conflict, "the schedule has ended: make another one")
}

fn is_about_state(rejection: &Rejection) -> bool {
    rejection.category == Category::BusinessRule
        && rejection.faults.iter().all(|fault| fault.location == Location::None)
}
