//! What was administered, as people and programs read it.

use payment_runs_types::ops::{Client, Entity, IssuedClient, Organization, Settings};
use serde::Serialize;

use crate::remote::{NOTHING, Shown, yes_or_no};

const CLIENT: [&str; 5] = ["CLIENT", "ACTIVE", "PERMISSIONS", "ENTITIES", "ORGANIZATIONS"];

fn client_row(client: &Client) -> Vec<String> {
    let permissions: Vec<String> = client.permissions.iter().map(ToString::to_string).collect();
    let organizations = client.organizations.as_ref().map_or_else(|| "all".to_owned(), |ids| list(ids));
    vec![
        client.client_id.clone(),
        yes_or_no(client.active),
        list(&permissions),
        list(&client.entities),
        organizations,
    ]
}

fn list(texts: &[String]) -> String {
    if texts.is_empty() { NOTHING.to_owned() } else { texts.join(",") }
}

/// Clients.
pub(super) fn clients(clients: &[Client]) -> anyhow::Result<Shown> {
    Shown::new(&clients, &CLIENT, clients.iter().map(client_row).collect())
}

/// One client.
pub(super) fn client(client: &Client) -> anyhow::Result<Shown> {
    Shown::new(client, &CLIENT, vec![client_row(client)])
}

/// A client with its new secret.
pub(super) fn issued(issued: &IssuedClient) -> anyhow::Result<Shown> {
    let row = vec![issued.client.client_id.clone(), issued.client_secret.clone()];
    let shown = Shown::new(issued, &["CLIENT", "SECRET"], vec![row])?;
    Ok(shown.with_note("The secret is shown this once; only its hash is stored."))
}

/// Entities.
pub(super) fn entities(answer: &impl Serialize, entities: &[Entity]) -> anyhow::Result<Shown> {
    let rows = entities.iter().map(|entity| vec![entity.entity_id.clone(), entity.name.clone()]);
    Shown::new(answer, &["ENTITY", "NAME"], rows.collect())
}

/// Organizations.
pub(super) fn organizations(
    answer: &impl Serialize,
    organizations: &[Organization],
) -> anyhow::Result<Shown> {
    let rows = organizations.iter().map(|one| vec![one.organization_id.clone(), one.name.clone()]);
    Shown::new(answer, &["ORGANIZATION", "NAME"], rows.collect())
}

/// Settings.
pub(super) fn settings(settings: &Settings) -> anyhow::Result<Shown> {
    let number = |number: Option<i32>| number.map_or_else(|| NOTHING.to_owned(), |number| number.to_string());
    let rule = &settings.retry_rule;
    let currencies = settings.currencies.as_ref().map_or_else(|| "all".to_owned(), |codes| codes.join(", "));
    let rows = [
        ("time zone", settings.time_zone.clone()),
        ("max consecutive failures", number(rule.max_consecutive_failures)),
        ("retry window hours", number(rule.retry_window_hours)),
        ("invoice settlement", yes_or_no(settings.invoice_settlement)),
        ("currencies", currencies),
    ];
    let rows = rows.into_iter().map(|(name, value)| vec![name.to_owned(), value]).collect();
    Shown::new(settings, &["SETTING", "VALUE"], rows)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]
    use payment_runs_types::ops::Permission;

    use super::*;

    fn client_named(id: &str, organizations: Option<Vec<String>>) -> Client {
        Client {
            client_id: id.to_owned(),
            user_id: "u".to_owned(),
            permissions: vec![Permission::ManagePaymentRuns, Permission::Administer],
            entities: vec!["e1".to_owned(), "e2".to_owned()],
            organizations,
            active: true,
        }
    }

    #[test]
    fn tables_line_up() {
        let narrow =
            Client { permissions: vec![], active: false, ..client_named("b", Some(vec!["o1".into()])) };
        let shown = clients(&[client_named("a-longer-name", None), narrow]).unwrap();
        insta::assert_snapshot!(shown.text(), @r"
        CLIENT         ACTIVE  PERMISSIONS                     ENTITIES  ORGANIZATIONS
        a-longer-name  yes     manage_payment_runs,administer  e1,e2     all
        b              no      -                               e1,e2     o1
        ");
    }

    #[test]
    fn programs_get_what_the_server_answered() {
        let client = client_named("a", None);
        assert_eq!(clients(std::slice::from_ref(&client)).unwrap().json(), &serde_json::json!([client]));
    }
}
