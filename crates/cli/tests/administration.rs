//! `payment-runs admin` against a running server.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::{Command, Output};

use payment_runs_node::testing::{CLIENT_ID, CLIENT_SECRET, ENTITY, TestNode};
use serde_json::Value;

struct Administrator {
    url: String,
}

impl Administrator {
    async fn output(&self, line: &str, id: &str, secret: &str) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_payment-runs"));
        command.env("PAYMENT_RUNS_URL", &self.url).env("PAYMENT_RUNS_CLIENT_ID", id);
        command.env("PAYMENT_RUNS_CLIENT_SECRET", secret).env_remove("RUST_LOG").arg("admin");
        command.args(line.split_whitespace());
        // The server of the test answers in this process, so its threads must not wait for the program.
        tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
    }

    async fn text(&self, line: &str) -> String {
        let output = self.output(line, CLIENT_ID, CLIENT_SECRET).await;
        assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    async fn json(&self, line: &str) -> Value {
        serde_json::from_str(&self.text(&format!("{line} --json")).await).unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_lives_through_the_command_line() {
    let node = TestNode::builder().with_system_clock().start().await.unwrap();
    let admin = Administrator { url: node.url() };
    let made = admin.json("clients create --id reader --permissions administer").await;
    let secret = made["client_secret"].as_str().unwrap();
    assert!(admin.output("clients list", "reader", secret).await.status.success());
    let listed = admin.text("clients list").await;
    assert!(
        listed.starts_with("CLIENT ") && listed.contains("reader ") && listed.contains(CLIENT_ID),
        "{listed}"
    );

    let rotated = admin.json("clients rotate reader").await;
    let newer = rotated["client_secret"].as_str().unwrap();
    let refused = admin.output("clients list", "reader", secret).await;
    assert_eq!(refused.status.code(), Some(1), "the old secret has ended");
    assert!(admin.output("clients list", "reader", newer).await.status.success());

    assert_eq!(
        admin.json("clients update reader --no-permissions").await["permissions"],
        serde_json::json!([])
    );
    let refused = admin.output("clients list", "reader", newer).await;
    let words = String::from_utf8(refused.stderr).unwrap();
    assert!(words.contains("403") && words.contains("lacks the permission 'administer'"), "{words}");
    assert_eq!(admin.json("clients deactivate reader").await["active"], false);
    assert!(!admin.output("clients list", "reader", newer).await.status.success());
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn entities_organizations_and_settings_are_administered() {
    let node = TestNode::builder().with_system_clock().start().await.unwrap();
    let admin = Administrator { url: node.url() };
    let set = admin.text("settings set --time-zone America/New_York --retry-window-hours 24").await;
    assert!(set.contains("America/New_York") && set.contains("24"), "{set}");
    assert_eq!(admin.json("settings get").await["retry_rule"]["retry_window_hours"], 24);
    let refused = admin.output("settings set --time-zone localtime", CLIENT_ID, CLIENT_SECRET).await;
    let words = String::from_utf8(refused.stderr).unwrap();
    assert!(words.contains("time_zone: is not the IANA name"), "{words}");
    let refused =
        admin.output("organizations create 8ad09be48db5aba7018db604776d4854", CLIENT_ID, CLIENT_SECRET).await;
    let words = String::from_utf8(refused.stderr).unwrap();
    assert!(words.contains("name: must not have the form of an id"), "{words}");
    let east = admin.json("organizations create East").await;
    let id = east["organization_id"].as_str().unwrap();
    assert!(admin.text(&format!("organizations rename {id} West")).await.contains("West"));
    assert_eq!(admin.json("organizations list").await.as_array().unwrap().len(), 1);
    let entity = admin.json("entities create Canada").await;
    let id = entity["entity_id"].as_str().unwrap();
    assert_eq!(admin.json(&format!("entities list --in-entity {ENTITY}")).await.as_array().unwrap().len(), 2);
    let elsewhere = admin.json(&format!("settings get --in-entity {id}")).await;
    assert_eq!(elsewhere["time_zone"], "UTC", "another entity has settings of its own");
    node.stop().await;
}
