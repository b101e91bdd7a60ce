//! Giving a run up before its time, and stopping one at work.

use payment_runs_engine::command::Command;
use payment_runs_engine::ids::Key;
use payment_runs_engine::ports::Output;
use payment_runs_engine::ports::ledger;
use payment_runs_engine::refusal::Field;
use payment_runs_engine::run::Tallies;
use payment_runs_stubs::Rejection;
use payment_runs_types::ops::Progress;

use super::{in_conflict, progress};
use crate::call::Call;
use crate::refused::Wording;

const WORDING: Wording = Wording { name, state: None };

fn name(_: Field) -> &'static str {
    "key"
}

/// Gives a pending run up.
pub(super) async fn cancel(call: &Call<'_>, key: &str) -> Result<Progress, Rejection> {
    execute(call, Command::CancelRun(Key::new(key))).await
}

/// Stops a run at work.
pub(super) async fn stop(call: &Call<'_>, key: &str) -> Result<Progress, Rejection> {
    execute(call, Command::StopRun(Key::new(key))).await
}

async fn execute(call: &Call<'_>, command: Command) -> Result<Progress, Rejection> {
    call.execute(command, &WORDING, answer).await.map_err(in_conflict)
}

fn answer(output: &Output) -> Option<Progress> {
    match output {
        Output::Progress(known) => Some(progress::write(known)),
        // It was given up before it had done anything.
        Output::Run(run) => Some(progress::write(&ledger::Progress {
            run: run.clone(),
            documents_selected: 0,
            selection_complete: false,
            stopping: false,
            chunks: (0, 0),
            tallies: Tallies::new(),
        })),
        _ => None,
    }
}
