//! From the names in a body to the identifiers that commands need. A name that leads nowhere is a fault, and a stand-in
//! takes its place, so that the other checks still see that the field was given.

use payment_runs_engine::account::GatewayConfig;
use payment_runs_engine::ids::{AccountId, BillRunId, GatewayId, Key, OrganizationId};
use payment_runs_engine::money::Currency;
use payment_runs_engine::refusal::Noun;
use payment_runs_stubs::{Category, Rejection};
use payment_runs_types::DateTime;
use payment_runs_types::v1::OrganizationLabel;

use crate::call::Call;
use crate::failure::store_failure;
use crate::faults::Faults;
use crate::named;
use crate::time::Zone;

/// Reads the fields of one body.
pub(super) struct Resolver<'a, 'c> {
    call: &'a Call<'c>,
    zone: &'a Zone,
    gateways: Option<Vec<GatewayConfig>>,
    /// What is wrong so far.
    pub(super) faults: Faults,
}

impl<'a, 'c> Resolver<'a, 'c> {
    /// A resolver that has found nothing yet.
    pub(super) fn new(call: &'a Call<'c>, zone: &'a Zone) -> Self {
        Self { call, zone, gateways: None, faults: Faults::default() }
    }

    /// The account with this identifier.
    pub(super) async fn account(&mut self, text: &str) -> Result<AccountId, Rejection> {
        let nobody = AccountId::from_u128(0);
        let Ok(id) = text.parse::<AccountId>() else {
            self.unknown("accountId", Noun::Account, text);
            return Ok(nobody);
        };
        let found = self.call.app.ports.ledger.find_account(self.call.scope(), &Key::new(text)).await;
        let found = found.map_err(|error| store_failure(&error))?.is_some_and(|account| account.id == id);
        if !found {
            self.unknown("accountId", Noun::Account, text);
        }
        Ok(id)
    }

    /// The gateway with this identifier, and the one with this name, which must be the same.
    pub(super) async fn gateway(
        &mut self,
        id: Option<&str>,
        number: Option<&str>,
    ) -> Result<Option<GatewayId>, Rejection> {
        if id.is_none() && number.is_none() {
            return Ok(None);
        }
        let gateways = match self.gateways.take() {
            Some(gateways) => gateways,
            None => self.call.gateways().await?,
        };
        let by_id = id.map(|text| {
            let parsed = text.parse::<GatewayId>().ok();
            parsed.filter(|id| gateways.iter().any(|gateway| gateway.id == *id))
        });
        let by_number =
            number.map(|text| gateways.iter().find(|gateway| gateway.name == text).map(|gateway| gateway.id));
        self.gateways = Some(gateways);
        if by_id == Some(None) {
            self.unknown("paymentGatewayId", Noun::PaymentGateway, id.unwrap_or_default());
        }
        if by_number == Some(None) {
            self.unknown("paymentGatewayNumber", Noun::PaymentGateway, number.unwrap_or_default());
        }
        if let (Some(Some(one)), Some(Some(other))) = (by_id, by_number)
            && one != other
        {
            self.faults.invalid("paymentGatewayNumber", "names another gateway than 'paymentGatewayId'");
        }
        let found = by_id.flatten().or(by_number.flatten());
        Ok(Some(found.unwrap_or(GatewayId::from_u128(0))))
    }

    /// The bill run with this identifier.
    pub(super) fn bill_run(&mut self, text: &str) -> BillRunId {
        named::bill_run(&mut self.faults, "billingRunId", text)
    }

    /// The currency with this code.
    pub(super) fn currency(&mut self, text: &str) -> Currency {
        named::currency(&mut self.faults, "currency", text)
    }

    /// The bill cycle day. The schema leaves only days from 1 to 31.
    pub(super) fn bill_cycle_day(&mut self, text: &str) -> u8 {
        text.parse().unwrap_or_else(|_| {
            self.faults.invalid("billCycleDay", "must be a day from 1 to 31");
            1
        })
    }

    /// The start of a run with this date.
    pub(super) fn run_at(&mut self, date: DateTime) -> jiff::Timestamp {
        self.zone.run_start(date).unwrap_or_else(|| {
            self.faults.invalid("runDate", "is outside the calendar");
            jiff::Timestamp::UNIX_EPOCH
        })
    }

    /// An advanced filter, which is not supported.
    pub(super) fn advanced_filter(&mut self, filter: Option<&str>) {
        if filter.is_some_and(|filter| !filter.is_empty()) {
            self.faults.invalid("advancedFilter", "is not supported: it must be left out or empty");
        }
    }

    /// The organizations that the labels mean: those named, or all but those excluded. Without labels it is what the
    /// caller is limited to.
    pub(super) async fn organizations(
        &mut self,
        labels: Option<&[OrganizationLabel]>,
    ) -> Result<Vec<OrganizationId>, Rejection> {
        let scope = self.call.scope();
        let labels = labels.unwrap_or_default();
        if labels.is_empty() {
            return Ok(scope.organizations.clone().unwrap_or_default());
        }
        let known = self.call.app.ports.access.organizations(scope.entity).await;
        let known = known.map_err(|error| store_failure(&error))?;
        let mut named = Vec::new();
        let mut excluded = Vec::new();
        for (at, label) in labels.iter().enumerate() {
            let Some(id) = self.organization(&known, at, label) else { continue };
            if label.excluded == Some(true) { excluded.push(id) } else { named.push(id) }
        }
        if named.is_empty() {
            let allowed = scope.organizations.as_ref();
            let all = known.iter().map(|(id, _)| *id);
            named = all.filter(|id| allowed.is_none_or(|allowed| allowed.contains(id))).collect();
        }
        named.retain(|id| !excluded.contains(id));
        named.sort_unstable();
        named.dedup();
        if named.is_empty() {
            self.faults
                .invalid("organizationLabels", "must not exclude every organization that the client may see");
        }
        Ok(named)
    }

    fn organization(
        &mut self,
        known: &[(OrganizationId, String)],
        at: usize,
        label: &OrganizationLabel,
    ) -> Option<OrganizationId> {
        let path = format!("organizationLabels[{at}]");
        let (id, name) = (label.organization_id.as_deref(), label.organization_name.as_deref());
        let found = match (id, name) {
            (None, None) => {
                self.faults.missing(path, "needs 'organizationId' or 'organizationName'");
                return None;
            }
            (Some(text), name) => {
                let parsed = text.parse::<OrganizationId>().ok();
                let found = known.iter().find(|(id, _)| Some(*id) == parsed);
                found.filter(|(_, known)| name.is_none_or(|name| name == known))
            }
            (None, Some(name)) => known.iter().find(|(_, known)| known == name),
        };
        let Some((id, _)) = found else {
            let field = if id.is_some() { "organizationId" } else { "organizationName" };
            self.unknown(&format!("{path}.{field}"), Noun::Organization, id.or(name).unwrap_or_default());
            return None;
        };
        let allowed = self.call.scope().organizations.as_ref();
        if allowed.is_some_and(|allowed| !allowed.contains(id)) {
            self.faults.push(
                Category::Permission,
                path,
                "is an organization that the client has no access to",
            );
            return None;
        }
        Some(*id)
    }

    fn unknown(&mut self, field: &str, noun: Noun, key: &str) {
        self.faults.invalid(field, format!("{} '{key}' does not exist", noun.words()));
    }
}
