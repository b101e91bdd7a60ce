//! Ties the generated clients to the transport.

use progenitor_client::{ClientHooks, Error, OperationInfo};
use reqwest::{Request, Response};

use crate::transport::Transport;

macro_rules! tie {
    ($($api:ident),*) => {$(
        impl ClientHooks<Transport> for crate::$api::Client {
            async fn pre<E>(&self, request: &mut Request, info: &OperationInfo) -> Result<(), Error<E>> {
                let prepared = self.inner.prepare(request, info.operation_id).await;
                prepared.map_err(|error| Error::Custom(error.to_string()))
            }

            async fn exec(&self, request: Request, _info: &OperationInfo) -> reqwest::Result<Response> {
                self.inner.execute(request).await
            }
        }
    )*};
}

tie!(v1, v2, ops);
