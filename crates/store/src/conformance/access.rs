//! Clients, tokens, entities, settings, gateways, organizations, secrets.

use payment_runs_engine::account::GatewayConfig;
use payment_runs_engine::ids::{EntityId, GatewayId, OrganizationId};
use payment_runs_engine::ports::{Client, Permission};
use payment_runs_engine::settings::Settings;

use super::fixtures::{ENTITY, Stand, USER, at};

fn client(id: &str) -> Client {
    Client {
        id: id.to_owned(),
        secret_hash: "$argon2id$v=19$…".to_owned(),
        user: USER,
        entities: vec![(ENTITY, EntityId::from_u128(7))],
        organizations: Some(vec![OrganizationId::from_u128(9)]),
        permissions: vec![Permission::ManagePaymentRuns, Permission::Administer],
        is_active: true,
    }
}

pub async fn clients_and_sessions(stand: Stand<'_>) {
    let access = stand.access;
    assert!(!access.has_clients().await.unwrap());
    assert_eq!(access.find_client("one").await.unwrap(), None);
    access.put_client(client("one")).await.unwrap();
    assert!(access.has_clients().await.unwrap());
    assert_eq!(access.find_client("one").await.unwrap(), Some(client("one")));

    access.put_token([1; 32], "one", at(100)).await.unwrap();
    let session = access.find_session([1; 32], at(99)).await.unwrap().unwrap();
    assert_eq!((session.client, session.expires_at), (client("one"), at(100)));
    assert_eq!(access.find_session([1; 32], at(100)).await.unwrap(), None, "it has ended");
    assert_eq!(access.find_session([2; 32], at(0)).await.unwrap(), None, "nobody made it");

    let changed = Client { is_active: false, organizations: None, ..client("one") };
    access.put_client(changed.clone()).await.unwrap();
    let session = access.find_session([1; 32], at(0)).await.unwrap().unwrap();
    assert_eq!(session.client, changed, "a session sees its client as it is now");
}

pub async fn entities_settings_gateways_organizations_and_secrets(stand: Stand<'_>) {
    let access = stand.access;
    access.ensure_entity(ENTITY, EntityId::from_u128(7), "First").await.unwrap();
    access.ensure_entity(ENTITY, EntityId::from_u128(8), "Second").await.unwrap();

    assert_eq!(access.settings(ENTITY).await.unwrap(), Settings::default());
    let settings = Settings { time_zone: "Europe/Paris".to_owned(), ..Settings::default() };
    access.put_settings(ENTITY, settings.clone()).await.unwrap();
    assert_eq!(access.settings(ENTITY).await.unwrap(), settings);

    let gateway = |id: u128, name: &str| GatewayConfig {
        id: GatewayId::from_u128(id),
        name: name.to_owned(),
        kind: "stripe".to_owned(),
        is_active: true,
        is_default: true,
    };
    access.put_gateway(ENTITY, gateway(1, "B")).await.unwrap();
    access.put_gateway(ENTITY, gateway(2, "A")).await.unwrap();
    let listed: Vec<(String, bool)> =
        access.gateways(ENTITY).await.unwrap().into_iter().map(|one| (one.name, one.is_default)).collect();
    assert_eq!(listed, [("A".to_owned(), true), ("B".to_owned(), false)], "by name, with one default");

    let id = OrganizationId::from_u128(3);
    access.put_organization(ENTITY, id, "East").await.unwrap();
    access.put_organization(ENTITY, id, "West").await.unwrap();
    assert_eq!(access.organizations(ENTITY).await.unwrap(), [(id, "West".to_owned())]);

    assert_eq!(access.ensure_secret("cursor", [4; 32]).await.unwrap(), [4; 32]);
    assert_eq!(access.ensure_secret("cursor", [5; 32]).await.unwrap(), [4; 32], "the first one stays");
}
