//! Telling a client of changes: `resources/subscribe` of the older era, `subscriptions/listen` of the newer one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::{BoxFuture, select_all};
use rmcp::RoleServer;
use rmcp::model::{ErrorData, ResourceUpdatedNotificationParam, SubscriptionFilter};
use rmcp::service::{Peer, SubscriptionContext, SubscriptionSink};
use tokio::task::AbortHandle;
use tokio_util::sync::CancellationToken;

use super::resources::watch::{Subject, Watch};
use super::resources::{self, Target};
use crate::daemon::service::{Client, Service};

/// The same thing is told again after this long, so twice a second at most.
const INTERVAL: Duration = Duration::from_millis(500);
/// A client may subscribe to so many resources.
const MAX: usize = 100;

/// What one client of the older era is told of. Ends with its connection.
#[derive(Default)]
pub(super) struct Subscriptions(Mutex<HashMap<Subscribed, AbortHandle>>);

/// What a client subscribed to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Subscribed {
    Uri(String),
    List,
}

impl Subscriptions {
    /// `resources/subscribe`. To do so again changes nothing.
    ///
    /// # Errors
    /// When there is no such resource, as reading it would say; or there are too many subscriptions.
    pub(super) async fn subscribe(
        &self,
        service: &Arc<Service>,
        client: &Arc<Client>,
        peer: Peer<RoleServer>,
        uri: &str,
    ) -> Result<(), ErrorData> {
        let (target, _) = resources::found(service, client, uri).await?;
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = Subscribed::Uri(uri.to_owned());
        if all.contains_key(&key) {
            return Ok(());
        }
        if all.len() > MAX {
            let message = format!("a client may subscribe to {MAX} resources; unsubscribe from some first");
            return Err(ErrorData::invalid_request(message, None));
        }
        let watch = Watch::new(service.clone(), client.clone(), Subject::Resource(target));
        let uri = uri.to_owned();
        let telling = forward(watch, move || {
            let (peer, uri) = (peer.clone(), uri.clone());
            Box::pin(async move {
                peer.notify_resource_updated(ResourceUpdatedNotificationParam::new(uri)).await.is_ok()
            })
        });
        all.insert(key, tokio::spawn(telling).abort_handle());
        Ok(())
    }

    /// `resources/unsubscribe`.
    pub(super) fn unsubscribe(&self, uri: &str) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(telling) = all.remove(&Subscribed::Uri(uri.to_owned())) {
            telling.abort();
        }
    }

    /// Tells a client that has read the list when resources come or go.
    pub(super) fn tell_of_the_list(
        &self,
        service: &Arc<Service>,
        client: &Arc<Client>,
        peer: Peer<RoleServer>,
    ) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.entry(Subscribed::List).or_insert_with(|| {
            let watch = Watch::new(service.clone(), client.clone(), Subject::List);
            let telling = forward(watch, move || {
                let peer = peer.clone();
                Box::pin(async move { peer.notify_resource_list_changed().await.is_ok() })
            });
            tokio::spawn(telling).abort_handle()
        });
    }
}

impl Drop for Subscriptions {
    fn drop(&mut self) {
        let all = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        all.values().for_each(AbortHandle::abort);
    }
}

/// What of a wish of the newer era is granted: resources that are there, and the list of them.
pub(super) fn granted(
    service: &Service,
    client: &Client,
    requested: &SubscriptionFilter,
) -> SubscriptionFilter {
    let mut granted = SubscriptionFilter::new();
    granted.resources_list_changed = requested.resources_list_changed;
    granted.resource_subscriptions = requested.resource_subscriptions.as_ref().map(|uris| {
        // rmcp asks for this without waiting, and the database says which errors there are.
        let look = async {
            let mut there = Vec::new();
            for uri in uris.iter().take(MAX) {
                if exists(service, client, uri).await {
                    there.push(uri.clone());
                }
            }
            there
        };
        tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(look))
    });
    granted
}

/// `subscriptions/listen`: tells until the client has enough, or goes, or the daemon ends.
pub(super) async fn listen(
    service: &Arc<Service>,
    client: &Arc<Client>,
    context: SubscriptionContext,
    closing: CancellationToken,
) {
    let sink = context.sink();
    let mut telling: Vec<BoxFuture<'_, ()>> = Vec::new();
    if context.accepted().resources_list_changed == Some(true) {
        let watch = Watch::new(service.clone(), client.clone(), Subject::List);
        telling.push(Box::pin(forward(watch, || Box::pin(async { list_changed(sink).await }))));
    }
    for uri in context.accepted().resource_subscriptions.iter().flatten() {
        let Some(target) = Target::parse(uri) else { continue };
        let watch = Watch::new(service.clone(), client.clone(), Subject::Resource(target));
        telling.push(Box::pin(forward(watch, move || Box::pin(async move { updated(sink, uri).await }))));
    }
    let told = async {
        match telling.is_empty() {
            true => std::future::pending().await,
            // The first that ends found that the client is gone.
            false => drop(select_all(telling).await),
        }
    };
    tokio::select! {
        () = told => {}
        () = context.cancelled() => {}
        () = closing.cancelled() => {}
    }
}

async fn list_changed(sink: &SubscriptionSink) -> bool {
    sink.notify_resource_list_changed().await.is_ok()
}

async fn updated(sink: &SubscriptionSink, uri: &str) -> bool {
    sink.notify_resource_updated(uri).await.is_ok()
}

async fn exists(service: &Service, client: &Client, uri: &str) -> bool {
    match Target::parse(uri) {
        Some(target) => target.exists(service, client).await,
        None => false,
    }
}

/// Tells of each change, of several within the interval once. Ends when nobody listens any more: whether
/// somebody does is what `tell` answers.
async fn forward<'a>(mut watch: Watch, tell: impl Fn() -> BoxFuture<'a, bool>) {
    loop {
        watch.changed().await;
        if !tell().await {
            return;
        }
        tokio::time::sleep(INTERVAL).await;
    }
}
