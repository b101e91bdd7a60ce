//! `payment-runs schedules`: payment runs that repeat.

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand, ValueEnum};
use payment_runs_client::{Connection, Error};
use payment_runs_types::ops::{
    CreateScheduleRequest, PaymentRunBody, RepeatType, Schedule, UpdateScheduleRequest, Weekday,
};

use crate::remote::{ConnectionArguments, Shown, maybe, take};
use crate::runs::BodyArguments;

/// The arguments of `schedules`.
#[derive(Debug, Args)]
pub(crate) struct SchedulesArguments {
    #[command(flatten)]
    connection: ConnectionArguments,
    /// What to do.
    #[command(subcommand)]
    command: SchedulesCommand,
}

/// What can be done with schedules.
#[derive(Debug, Subcommand)]
enum SchedulesCommand {
    /// Lists the schedules, newest first.
    List {
        /// How many to list at most.
        #[arg(long, value_name = "COUNT", default_value_t = 40)]
        limit: usize,
    },
    /// Makes a schedule and the payment run of its first occurrence.
    Create(CreateArguments),
    /// Shows a schedule.
    Get {
        /// Its id.
        schedule: String,
    },
    /// Changes a schedule; what is not given stays. The body of its payment runs is replaced as a whole.
    Update(UpdateArguments),
    /// Ends a schedule: the occurrence that waits is canceled, and no other follows.
    Delete {
        /// Its id.
        schedule: String,
    },
}

/// When a schedule repeats.
#[derive(Debug, Args)]
#[command(next_help_heading = "When it repeats")]
struct RepeatArguments {
    /// A name for people.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// How often.
    #[arg(long, value_enum)]
    repeat: Option<RepeatArgument>,
    /// On which days of the week; several are separated by commas.
    #[arg(long, value_enum, value_delimiter = ',', value_name = "DAY")]
    on_days: Vec<WeekdayArgument>,
    /// On which day of the month; in a month without that day, on its last one.
    #[arg(long, value_name = "DAY", value_parser = clap::value_parser!(u8).range(1..=31))]
    on_day: Option<u8>,
    /// At which hour of the day.
    #[arg(long, value_name = "HOUR", value_parser = clap::value_parser!(u8).range(0..=23))]
    hour: Option<u8>,
    /// The IANA name of the time zone, such as Europe/Paris; that of the settings when not given.
    #[arg(long, value_name = "ZONE")]
    time_zone: Option<String>,
    /// The first day on which it may occur.
    #[arg(long, value_name = "DATE")]
    from: Option<jiff::civil::Date>,
    /// The last day on which it may occur.
    #[arg(long, value_name = "DATE")]
    to: Option<jiff::civil::Date>,
}

#[derive(Debug, Args)]
struct CreateArguments {
    #[command(flatten)]
    repeat: RepeatArguments,
    #[command(flatten)]
    body: BodyArguments,
}

#[derive(Debug, Args)]
struct UpdateArguments {
    /// Its id.
    schedule: String,
    #[command(flatten)]
    repeat: RepeatArguments,
    /// It has no last day any more.
    #[arg(long, conflicts_with = "to")]
    no_end: bool,
    #[command(flatten)]
    body: BodyArguments,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum RepeatArgument {
    /// Once.
    None,
    /// On every day.
    Daily,
    /// On days of the week.
    Weekly,
    /// On a day of the month.
    Monthly,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum WeekdayArgument {
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}

impl From<RepeatArgument> for RepeatType {
    fn from(argument: RepeatArgument) -> Self {
        match argument {
            RepeatArgument::None => Self::None,
            RepeatArgument::Daily => Self::Daily,
            RepeatArgument::Weekly => Self::Weekly,
            RepeatArgument::Monthly => Self::Monthly,
        }
    }
}

impl From<WeekdayArgument> for Weekday {
    fn from(argument: WeekdayArgument) -> Self {
        match argument {
            WeekdayArgument::Monday => Self::Monday,
            WeekdayArgument::Tuesday => Self::Tuesday,
            WeekdayArgument::Wednesday => Self::Wednesday,
            WeekdayArgument::Thursday => Self::Thursday,
            WeekdayArgument::Friday => Self::Friday,
            WeekdayArgument::Saturday => Self::Saturday,
            WeekdayArgument::Sunday => Self::Sunday,
        }
    }
}

impl RepeatArguments {
    fn on_days(&self) -> Option<Vec<Weekday>> {
        (!self.on_days.is_empty()).then(|| self.on_days.iter().map(|day| Weekday::from(*day)).collect())
    }

    /// The schedule as the contract writes it; what is left out stays out.
    fn change(self, payment_run: Option<PaymentRunBody>, no_end: bool) -> UpdateScheduleRequest {
        UpdateScheduleRequest {
            weekly_on_days: self.on_days(),
            name: self.name,
            repeat_type: self.repeat.map(RepeatType::from),
            monthly_on_day: self.on_day.map(i32::from),
            run_time: self.hour.map(i32::from),
            time_zone: self.time_zone,
            repeat_from: self.from.map(Into::into),
            repeat_to: if no_end { Some(None) } else { self.to.map(|day| Some(day.into())) },
            payment_run,
        }
    }

    fn creation(self, payment_run: PaymentRunBody) -> anyhow::Result<CreateScheduleRequest> {
        let (Some(repeat), Some(hour), Some(from)) = (self.repeat, self.hour, self.from) else {
            bail!("a new schedule needs --repeat, --hour and --from");
        };
        Ok(CreateScheduleRequest {
            weekly_on_days: self.on_days(),
            name: self.name,
            repeat_type: repeat.into(),
            monthly_on_day: self.on_day.map(i32::from),
            run_time: i32::from(hour),
            time_zone: self.time_zone,
            repeat_from: from.into(),
            repeat_to: self.to.map(|day| Some(day.into())),
            payment_run,
        })
    }
}

/// Does what was asked, and shows the answer.
pub(crate) async fn run(arguments: SchedulesArguments) -> anyhow::Result<()> {
    let connection = arguments.connection.connect()?;
    let shown = match arguments.command {
        SchedulesCommand::List { limit } => {
            let list = connection.ops().list_schedules().stream();
            schedules(&take(list, limit).await.context("the schedules could not be listed")?)?
        }
        SchedulesCommand::Create(create) => self::create(&connection, create).await?,
        SchedulesCommand::Get { schedule } => {
            let answer = connection.ops().get_schedule().key(schedule).send().await;
            Shown::fields(
                &answer.map_err(Error::from).context("the schedule could not be read")?.into_inner(),
            )?
        }
        SchedulesCommand::Update(update) => self::update(&connection, update).await?,
        SchedulesCommand::Delete { schedule } => {
            let answer = connection.ops().delete_schedule().key(schedule).send().await;
            Shown::fields(
                &answer.map_err(Error::from).context("the schedule could not be ended")?.into_inner(),
            )?
        }
    };
    shown.print(arguments.connection.json);
    Ok(())
}

async fn create(connection: &Connection, arguments: CreateArguments) -> anyhow::Result<Shown> {
    let body = PaymentRunBody(arguments.body.to_body()?.into_iter().collect());
    let request = arguments.repeat.creation(body)?;
    let answer = connection.ops().create_schedule().body(request).send().await;
    Shown::fields(&answer.map_err(Error::from).context("the schedule could not be made")?.into_inner())
}

async fn update(connection: &Connection, arguments: UpdateArguments) -> anyhow::Result<Shown> {
    let body = arguments.body.to_body()?;
    let body = (!body.is_empty()).then(|| PaymentRunBody(body.into_iter().collect()));
    let request = arguments.repeat.change(body, arguments.no_end);
    let call = connection.ops().update_schedule().key(arguments.schedule);
    let answer = call.body(request).send().await;
    Shown::fields(&answer.map_err(Error::from).context("the schedule could not be changed")?.into_inner())
}

fn schedules(schedules: &[Schedule]) -> anyhow::Result<Shown> {
    let row = |schedule: &Schedule| {
        vec![
            schedule.id.clone(),
            maybe(schedule.name.clone()),
            schedule.state.to_string(),
            schedule.repeat_type.to_string(),
            format!("{:02}:00 {}", schedule.run_time, schedule.time_zone),
            maybe(schedule.next_run_at),
            maybe(schedule.next_payment_run_number.clone()),
        ]
    };
    let head = ["ID", "NAME", "STATE", "REPEATS", "AT", "NEXT", "NEXT RUN"];
    Shown::new(&schedules, &head, schedules.iter().map(row).collect())
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
