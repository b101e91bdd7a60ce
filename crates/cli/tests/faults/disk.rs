//! A disk without room, and files that cannot be written.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use payment_runs_gateway::simulator::{Simulator, SimulatorConfig, SimulatorHandle};

use crate::check;
use crate::ledger::LARGE;
use crate::server::{Launch, Server, TestTime, until};

/// Mounts a small disk of its own where the first argument says, fills it from the second, and becomes the rest.
const ON_A_SMALL_DISK: &str =
    r#"mount -t tmpfs -o size=24m none "$0" && cp "$1"/node.db* "$0" && shift && exec "$@""#;
/// Makes the folder that the first argument names read-only, and becomes the rest.
const READ_ONLY: &str = r#"mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$@""#;
/// What is left on the disk when it is filled before a run.
const LEFT_BYTES: u64 = 64 * 1024;
/// What is written at once to fill it.
const BLOCK_BYTES: usize = 64 * 1024;

/// Whether this machine lets a process have mounts of its own. Where it does not, the tests that need them say so.
fn has_namespaces() -> bool {
    let mut try_out = Command::new("unshare");
    try_out.args(["--mount", "--map-root-user", "sh", "-c", "mount -t tmpfs none /mnt"]);
    let has = try_out.stderr(Stdio::null()).status().is_ok_and(|status| status.success());
    if !has {
        println!("SKIPPED: this machine gives no process mounts of its own");
    }
    has
}

async fn bank() -> SimulatorHandle {
    Simulator::start(SimulatorConfig { latency_ms: 2, ..SimulatorConfig::default() }).await.unwrap()
}

/// A file that takes up the disk of a server, whose folder only it sees.
struct Ballast(PathBuf);

impl Ballast {
    /// Fills the disk, but for so many bytes.
    fn fill(server: &Server, folder: &Path, left: u64) -> Self {
        let path = folder.strip_prefix("/").unwrap().join("ballast");
        let path = Path::new("/proc").join(server.id().to_string()).join("root").join(path);
        let mut file = File::create(&path).unwrap();
        let block = vec![7; BLOCK_BYTES];
        let mut size = 0;
        while let Ok(written @ 1..) = file.write(&block) {
            size += u64::try_from(written).unwrap();
        }
        file.set_len(size.saturating_sub(left)).unwrap();
        Self(path)
    }

    fn remove(self) {
        std::fs::remove_file(self.0).unwrap();
    }
}

/// The disk is full before the run begins, or in the middle of it: nothing is sent that is not written down, nothing is
/// forgotten that was sent, reading goes on, and with room again all goes on.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_stops_a_run_until_there_is_room() {
    if !has_namespaces() {
        return;
    }
    for charges_before in [0, 300, 1_200] {
        let (template, folder) = (LARGE.in_new_folder().await, tempfile::tempdir().unwrap());
        let bank = bank().await;
        let (from, to) = (template.path().to_str().unwrap(), folder.path().to_str().unwrap());
        let wrapper = ["unshare", "--mount", "--map-root-user", "sh", "-c", ON_A_SMALL_DISK, to, from];
        let launch = Launch::new(folder.path(), &bank.url()).within(&wrapper);
        let mut time = TestTime::new();
        let server = time.launch(&launch).start();
        let (run, ballast) = if charges_before == 0 {
            let ballast = Ballast::fill(&server, folder.path(), LEFT_BYTES);
            (server.create_run().await, ballast)
        } else {
            let run = server.create_run().await;
            until("some charges", async || bank.journal().len() >= charges_before).await;
            (run, Ballast::fill(&server, folder.path(), 0))
        };
        let told = format!("a full disk after {charges_before} charges");
        until("a transaction that finds no room", async || {
            time.tick_run(&server).await;
            launch.log().contains("is full") || server.has_completed(&run).await
        })
        .await;
        assert!(launch.log().contains("is full"), "{told}: {}", launch.log());
        let sent = bank.journal().len();
        for _ in 0..50 {
            time.tick_run(&server).await;
        }
        assert!(!server.has_completed(&run).await, "{told}: reading goes on");
        assert!(!server.is_ready().await, "{told}: a server that cannot write is not ready");
        ballast.remove();
        time.until_completed(&server, &run).await;
        assert!(server.is_ready().await, "{told}: with room it is ready again");
        time.until_nothing_is_in_doubt(&server).await;
        let summary = server.summary(&run).await;
        server.kill();
        check::everything_once(&told, LARGE, &bank.journal(), &summary);
        println!("{told}: {sent} charges were out when there was no room");
        bank.stop().await;
    }
}

/// Takes away that a file can be written, as an administrator may, also from those who have it open.
struct Frozen(Vec<PathBuf>);

impl Frozen {
    /// `None` where the machine cannot do it.
    fn freeze(folder: &Path) -> Option<Self> {
        let files: Vec<PathBuf> = ["node.db", "node.db-wal"].iter().map(|name| folder.join(name)).collect();
        let frozen = Self(files);
        let is_frozen = frozen.0.iter().all(|file| change_attributes("+i", file));
        if !is_frozen {
            println!("SKIPPED: this machine cannot make an open file immutable");
        }
        is_frozen.then_some(frozen)
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        for file in &self.0 {
            change_attributes("-i", file);
        }
    }
}

fn change_attributes(change: &str, file: &Path) -> bool {
    let mut command = Command::new("chattr");
    command.arg(change).arg(file).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_becomes_read_only_stops_a_run_until_it_can_be_written() {
    let folder = LARGE.in_new_folder().await;
    let bank = bank().await;
    let launch = Launch::new(folder.path(), &bank.url());
    let mut time = TestTime::new();
    let server = time.launch(&launch).start();
    let run = server.create_run().await;
    until("some charges", async || bank.journal().len() >= 200).await;
    let Some(frozen) = Frozen::freeze(folder.path()) else { return };
    until("a transaction that cannot be written", async || {
        time.tick_run(&server).await;
        launch.log().contains("a transaction failed")
    })
    .await;
    let sent = bank.journal().len();
    assert!(!server.has_completed(&run).await, "reading goes on");
    assert!(server.try_create_run().await.is_none(), "what cannot be stored is not accepted");
    assert!(!server.is_ready().await, "a server that cannot write is not ready");
    drop(frozen);
    time.until_completed(&server, &run).await;
    assert!(server.is_ready().await);
    time.until_nothing_is_in_doubt(&server).await;
    let summary = server.summary(&run).await;
    server.kill();
    check::everything_once("a read-only file", LARGE, &bank.journal(), &summary);
    println!("a read-only file: {sent} charges were out when nothing could be written");
    bank.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_cannot_be_written_is_refused_at_the_start() {
    if !has_namespaces() {
        return;
    }
    let folder = LARGE.in_new_folder().await;
    let bank = bank().await;
    let path = folder.path().to_str().unwrap();
    let launch = Launch::new(folder.path(), &bank.url());
    let wrapper = ["unshare", "--mount", "--map-root-user", "sh", "-c", READ_ONLY, path];
    let refused = launch.clone().within(&wrapper).refused();
    let said = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(said.contains("the server could not start") && said.contains("Read-only file system"), "{said}");
    assert!(launch.start().try_create_run().await.is_some(), "nothing was harmed");
    bank.stop().await;
}
