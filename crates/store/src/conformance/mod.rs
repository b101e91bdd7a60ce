//! The tests that every store must pass, as functions over the ports.
//!
//! [`for_each_case`](crate::for_each_case) names them all, so that the tests of each store are one macro that opens an
//! empty store and calls the case. A case fails by panicking.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::missing_panics_doc,
    clippy::needless_pass_by_value,
    clippy::unused_self,
    missing_docs,
    reason = "these are tests, which fail by panicking and say in their names what they show"
)]

pub mod access;
pub mod accounts;
pub mod control;
pub mod credits;
pub mod documents;
mod fixtures;
pub mod large;
pub mod load;
pub mod once;
pub mod payments;
pub mod reconciliation;
pub mod records;
pub mod rules;
pub mod runs;
pub mod schedules;
pub mod webhooks;
pub mod work;

pub use fixtures::{Encoder, Numbers, Stand};

/// Calls `$each!` with the path of every case.
#[macro_export]
macro_rules! for_each_case {
    ($each:ident) => {
        $each! {
            access::a_gateways_account_stays_while_payments_are_in_doubt,
            access::what_a_ledger_keeps_about_its_completeness_only_grows,
            access::a_new_secret_ends_old_tokens,
            access::clients_and_sessions,
            access::clients_are_created_changed_and_listed,
            access::entities_and_organizations_have_names_of_their_own,
            access::entities_settings_gateways_organizations_and_secrets,
            accounts::an_account_with_its_card,
            accounts::every_reason_at_once,
            accounts::numbers_are_given_and_kept_apart,
            accounts::scope_hides_other_organizations,
            control::a_cut_off_single_payment_answers_under_its_key,
            control::a_person_settles_what_is_in_doubt,
            control::a_stopped_run_ends_what_is_under_way_and_leaves_the_rest,
            control::every_command_on_runs_and_payments_leaves_its_record,
            control::payments_are_listed_by_state_and_page_by_page,
            control::the_trail_shows_only_what_is_in_scope,
            control::what_a_stopped_run_may_have_sent_is_asked_about_and_never_sent,
            credits::credit_memos_are_created_and_posted,
            credits::credits_go_first_and_money_is_conserved,
            documents::documents_are_created_and_posted,
            documents::refused_documents_leave_nothing,
            load::loading_again_takes_no_money_back,
            load::numbers_that_are_taken_are_refused_whole,
            large::a_large_account_is_opened_in_order,
            large::a_restarted_selection_cuts_the_same_chunks,
            once::a_claim_is_in_flight_until_answered_or_released,
            once::commands_keep_their_answers,
            once::records_expire,
            once::a_single_charge_keeps_its_key_until_its_outcome,
            payments::external_payments_pay_at_once,
            payments::an_electronic_payment_holds_its_documents,
            payments::lists_are_newest_first,
            payments::single_intents_come_up_for_look_ups,
            reconciliation::charges_become_payments_of_what_they_name,
            reconciliation::a_report_writes_nothing,
            reconciliation::an_unmatched_payment_keeps_runs_off_until_a_person_decides,
            reconciliation::processed_payments_come_page_by_page,
            records::records_are_judged_one_by_one,
            rules::credits_of_a_large_account_count_once,
            rules::retry_counters_follow_the_outcomes,
            runs::conditions_and_sorts,
            runs::life_of_a_pending_run,
            runs::refusals_of_runs,
            runs::who_may_see_no_organization_makes_no_run,
            schedules::a_change_of_a_schedule_changes_the_run_that_waits,
            schedules::a_missed_occurrence_runs_once_and_late,
            schedules::a_schedule_ends_with_its_last_day,
            schedules::a_schedule_is_ended_by_its_owner,
            schedules::an_occurrence_that_is_given_up_is_followed,
            schedules::claims_in_a_row_make_one_run_a_day,
            schedules::each_occurrence_leaves_the_next_one,
            schedules::refusals_of_schedules,
            schedules::schedules_are_listed_in_scope,
            schedules::what_happens_to_a_schedule_is_recorded,
            work::a_contradiction_bars_every_other_delivery,
            work::a_declined_run_counts_and_frees,
            work::a_failed_run_sends_nothing_more,
            work::a_held_document_is_left_by_another_run,
            work::a_key_names_the_document_and_its_answered_charges,
            work::a_lost_lease_writes_nothing,
            work::a_run_from_end_to_end,
            work::a_run_too_large_to_add_up_ends_like_any_other,
            work::a_run_whose_gateway_takes_nothing_ends_in_error,
            work::a_second_opening_gives_the_intents_back,
            work::entities_take_turns,
            work::filters_choose_accounts_and_documents,
            work::outcomes_in_doubt_are_looked_up,
            work::scheduled_runs_wait_for_their_hour,
            work::what_is_posted_later_is_left,
            work::what_was_left_behind_comes_before_what_is_fresh,
            work::a_payment_in_doubt_is_delivered_again_by_one_worker,
            work::waiting_ends_with_new_work,
            webhooks::deliveries_are_forgotten_beyond_those_kept,
            webhooks::an_attempt_is_recorded_once,
            webhooks::life_of_a_webhook,
            webhooks::runs_that_wait_are_read_on,
            webhooks::what_happened_is_told_from_then_on,
        }
    };
}
