//! Clients, tokens, entities, settings, gateways, organizations, secrets.

use payment_runs_engine::account::GatewayConfig;
use payment_runs_engine::collect::{Belonging, take_account};
use payment_runs_engine::ids::{EntityId, EntityKey, GatewayId, OrganizationId};
use payment_runs_engine::ports::{
    ChargingHold, Client, ClientChange, ClientQuery, Named, NewEntity, Outcome, Permission, Settlement,
};
use payment_runs_engine::settings::Settings;

use super::fixtures::{ENTITY, GATEWAY, Stand, USER, approved, at, declined, unknown};

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

    assert!(access.put_token([1; 32], &client("one"), at(100)).await.unwrap());
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

pub async fn clients_are_created_changed_and_listed(stand: Stand<'_>) {
    let access = stand.access;
    for id in ["c", "a", "b"] {
        assert!(access.create_client(client(id)).await.unwrap());
    }
    let other = Client { secret_hash: "another".to_owned(), ..client("a") };
    assert!(!access.create_client(other).await.unwrap(), "the identifier is taken");
    assert_eq!(access.find_client("a").await.unwrap(), Some(client("a")), "nothing was overwritten");

    let elsewhere = Client {
        entities: vec![(ENTITY, EntityId::from_u128(7)), (EntityKey(2), EntityId::from_u128(8))],
        ..client("d")
    };
    access.create_client(elsewhere).await.unwrap();
    let query = |after: Option<&str>, limit| ClientQuery {
        entity: ENTITY,
        entities: vec![ENTITY],
        organizations: None,
        after: after.map(str::to_owned),
        limit,
    };
    let listed = async |query| {
        let clients = access.list_clients(query).await.unwrap();
        clients.into_iter().map(|client| client.id).collect::<Vec<_>>()
    };
    assert_eq!(listed(query(None, 2)).await, ["a", "b"]);
    assert_eq!(listed(query(Some("b"), 2)).await, ["c"], "whoever reaches farther is left out");
    let wider = ClientQuery { entities: vec![ENTITY, EntityKey(2)], ..query(Some("b"), 9) };
    assert_eq!(listed(wider).await, ["c", "d"]);
    let narrower = ClientQuery { organizations: Some(vec![]), ..query(None, 9) };
    assert_eq!(listed(narrower).await, [""; 0]);

    let change =
        ClientChange { permissions: Some(vec![]), organizations: Some(None), ..ClientChange::default() };
    let changed = access.update_client("b", change).await.unwrap().unwrap();
    assert_eq!(changed, Client { permissions: vec![], organizations: None, ..client("b") });
    assert_eq!(access.find_client("b").await.unwrap(), Some(changed));
    assert_eq!(access.update_client("nobody", ClientChange::default()).await.unwrap(), None);
}

pub async fn a_new_secret_ends_old_tokens(stand: Stand<'_>) {
    let access = stand.access;
    for id in ["one", "two"] {
        access.create_client(client(id)).await.unwrap();
    }
    access.put_token([1; 32], &client("one"), at(100)).await.unwrap();
    access.put_token([2; 32], &client("two"), at(100)).await.unwrap();
    let rotated = ClientChange { secret_hash: Some("new".to_owned()), ..ClientChange::default() };
    let one = access.update_client("one", rotated).await.unwrap().unwrap();
    assert_eq!(access.find_session([1; 32], at(0)).await.unwrap(), None);
    assert!(access.find_session([2; 32], at(0)).await.unwrap().is_some(), "another client keeps its token");
    assert!(!access.put_token([3; 32], &client("one"), at(100)).await.unwrap(), "had with the old secret");
    assert_eq!(access.find_session([3; 32], at(0)).await.unwrap(), None);
    assert!(access.put_token([4; 32], &one, at(100)).await.unwrap());

    let off = ClientChange { is_active: Some(false), ..ClientChange::default() };
    access.update_client("one", off).await.unwrap();
    assert_eq!(access.find_session([4; 32], at(0)).await.unwrap(), None);
    assert!(!access.put_token([5; 32], &one, at(100)).await.unwrap(), "it is switched off");
    let on = ClientChange { is_active: Some(true), ..ClientChange::default() };
    access.update_client("one", on).await.unwrap();
    assert_eq!(access.find_session([4; 32], at(0)).await.unwrap(), None, "old tokens do not come back");
}

pub async fn entities_and_organizations_have_names_of_their_own(stand: Stand<'_>) {
    let access = stand.access;
    access.ensure_entity(ENTITY, EntityId::from_u128(7), "First").await.unwrap();
    access.create_client(client("one")).await.unwrap();
    let gateway = GatewayConfig {
        id: GatewayId::from_u128(1),
        name: "Default".to_owned(),
        kind: "stripe".to_owned(),
        is_active: true,
        is_default: true,
    };
    access.put_gateway(ENTITY, gateway.clone()).await.unwrap();
    let new = |name: &str| NewEntity {
        id: EntityId::from_u128(8),
        name: name.to_owned(),
        like: ENTITY,
        client: "one".to_owned(),
    };
    assert_eq!(access.create_entity(new("First")).await.unwrap(), Named::Taken);
    let Named::Done(second) = access.create_entity(new("Second")).await.unwrap() else { panic!("not made") };
    assert_eq!((second.id, second.name.as_str()), (EntityId::from_u128(8), "Second"));
    assert_eq!(access.gateways(second.key).await.unwrap(), [gateway], "it begins with the same gateways");
    let entities = access.find_client("one").await.unwrap().unwrap().entities;
    assert_eq!(entities, [(ENTITY, EntityId::from_u128(7)), (second.key, second.id)]);
    let names: Vec<String> = access.entities().await.unwrap().into_iter().map(|one| one.name).collect();
    assert_eq!(names, ["First", "Second"]);

    let (east, west) = (OrganizationId::from_u128(1), OrganizationId::from_u128(2));
    assert_eq!(access.create_organization(ENTITY, east, "East").await.unwrap(), Named::Done(()));
    assert_eq!(access.create_organization(ENTITY, west, "East").await.unwrap(), Named::Taken);
    assert_eq!(access.create_organization(ENTITY, west, "West").await.unwrap(), Named::Done(()));
    assert_eq!(access.rename_organization(ENTITY, west, "East").await.unwrap(), Named::Taken);
    assert_eq!(
        access.rename_organization(ENTITY, west, "West").await.unwrap(),
        Named::Done(()),
        "its own name"
    );
    assert_eq!(
        access.rename_organization(second.key, west, "South").await.unwrap(),
        Named::Missing,
        "of another"
    );
    assert_eq!(access.organizations(second.key).await.unwrap(), []);
}

pub async fn a_gateways_account_stays_while_payments_are_in_doubt(stand: Stand<'_>) {
    let accounts = stand.gateway_accounts;
    let take = async |account, has_moved| take_account(accounts, GATEWAY, account, has_moved).await.unwrap();
    assert_eq!(take("acct_1", false).await, Belonging::Ours, "the first one is kept");
    assert_eq!(take("acct_2", false).await, Belonging::Ours, "nothing is in doubt");
    assert_eq!(accounts.ensure_gateway_account(GATEWAY, "acct_1").await.unwrap(), "acct_2");
    let other = GatewayId::from_u128(0x0066_0002);
    assert_eq!(take_account(accounts, other, "acct_1", false).await.unwrap(), Belonging::Ours, "its own");

    stand.add_accounts(&[3]).await;
    stand.create_run(1, stand.new_run()).await;
    stand.select(2, 10).await;
    let claim = stand.claim(3).await.unwrap();
    let intents = stand.open(&claim, 3).await;
    let in_doubt = |account: &str, in_doubt| Belonging::Another { account: account.to_owned(), in_doubt };
    assert_eq!(take("acct_1", false).await, in_doubt("acct_2", 3), "intents may have been sent");
    assert_eq!(take("acct_3", true).await, Belonging::Ours, "the operator says so");
    let [first, second, third] = [0, 1, 2].map(|index| intents[index].payment);
    let pending = Outcome::Pending { reference: "ch_pending".to_owned() };
    let settlements = vec![approved(first), unknown(second), Settlement { payment: third, outcome: pending }];
    assert_eq!(stand.work.settle(&claim, at(4), settlements).await.unwrap(), 3);
    assert_eq!(take("acct_1", false).await, in_doubt("acct_3", 2));
    assert_eq!(accounts.count_in_doubt(other).await.unwrap(), 0, "at another gateway");
    let settlements = vec![declined(second), approved(third)];
    assert_eq!(stand.work.settle_look_ups(ENTITY, at(5), settlements).await.unwrap(), 2);
    assert_eq!(take("acct_1", false).await, Belonging::Ours, "everything has its outcome");
}

pub async fn what_a_ledger_keeps_about_its_completeness_only_grows(stand: Stand<'_>) {
    let watch = stand.watch;
    let other = GatewayId::from_u128(0x0066_0002);
    assert_eq!(watch.begin_comparison(GATEWAY, at(5)).await.unwrap(), at(5), "the first time is kept");
    assert_eq!(watch.begin_comparison(GATEWAY, at(9)).await.unwrap(), at(5));
    for newest in [Some(at(7)), Some(at(6)), None] {
        watch.end_comparison(GATEWAY, newest).await.unwrap();
    }
    assert_eq!(watch.begin_comparison(other, at(1)).await.unwrap(), at(1), "each gateway has its own");

    stand.add_accounts(&[1, 1]).await;
    stand.create_run(1, stand.new_run()).await;
    stand.select(2, 1).await;
    let (claim, later) = (stand.claim(3).await.unwrap(), stand.claim(3).await.unwrap());
    let intents = stand.open(&claim, 3).await;
    let (known, unknown) = (intents[0].request.idempotency_key.clone(), "unknown".to_owned());
    assert!(known.starts_with(&watch.watched_ledger().await.unwrap().to_string()));
    let keys = || vec![known.clone(), unknown.clone()];
    assert_eq!(watch.unknown_keys(keys()).await.unwrap(), std::slice::from_ref(&unknown));

    // A start: what is planned before the comparison has no charge.
    assert_eq!(watch.begin_comparison(GATEWAY, at(9)).await.unwrap(), at(7));
    let unplanned = stand.open(&later, 4).await[0].request.idempotency_key.clone();
    assert_eq!(
        watch.unknown_keys(vec![known.clone(), unplanned.clone()]).await.unwrap(),
        std::slice::from_ref(&unplanned)
    );
    watch.end_comparison(GATEWAY, None).await.unwrap();
    assert_eq!(watch.unknown_keys(vec![known, unplanned]).await.unwrap(), Vec::<String>::new());

    assert_eq!(watch.charging_hold().await.unwrap(), None);
    let hold = |why: &str| ChargingHold { at: at(10), why: why.to_owned() };
    watch.hold_charging(hold("first")).await.unwrap();
    watch.hold_charging(hold("second")).await.unwrap();
    assert_eq!(watch.charging_hold().await.unwrap(), Some(hold("first")), "the first reason stays");
}
