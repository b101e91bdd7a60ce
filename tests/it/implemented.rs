//! Every documented operation is there.

use payment_runs_node::testing::TestNode;
use payment_runs_tests::TestServer;
use payment_runs_tests::contract::contract;
use payment_runs_tests::samples::{Sample, samples};

use crate::samples::refused::ask;

#[tokio::test(flavor = "multi_thread")]
async fn no_operation_answers_that_it_is_not_implemented() {
    // Without a worker nothing happens that the webhook of a sample would be told of.
    let server = TestServer::start_with(TestNode::builder().with_system_clock().without_worker()).await;
    let samples = samples();
    let mut missing = Vec::new();
    for operation in &contract().operations {
        // A request that the contract refuses would not reach the operation; its samples do.
        let of_it = |sample: &&Sample| sample.document() == operation.api && sample.operation == operation.id;
        let requests: Vec<_> =
            samples.iter().filter(of_it).filter_map(|sample| sample.request.as_ref()).collect();
        assert!(!requests.is_empty(), "{} has no sample of a request", operation.id);
        for request in requests {
            if ask(&server, request).await.status == 501 {
                missing.push(format!("{} {}", operation.api, operation.id));
            }
        }
    }
    assert!(missing.is_empty(), "not implemented: {}", missing.join(", "));
}
