//! A store that a test sends away, or makes hang.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use kasparro_store::contract::FailingStore;
use kasparro_store::{Store, StoreError};

/// How the calls to a store go.
#[derive(Debug, Default)]
pub(in crate::tests) struct Switches {
    /// True while every call fails, with a text that nobody may see.
    pub(in crate::tests) away: AtomicBool,
    /// True while no call returns.
    pub(in crate::tests) hanging: AtomicBool,
    /// Calls under way that hang and that a request waits for.
    pub(in crate::tests) stuck: AtomicU32,
}

/// Calls that no request waits for: one of each at most, whatever is asked.
const IN_THE_BACKGROUND: [&str; 5] =
    ["keys", "keys_since", "note_key_uses", "share_usage", "forget_usage"];

/// A call that hangs; counts until it is dropped.
struct Stuck(Arc<Switches>);

impl Drop for Stuck {
    fn drop(&mut self) {
        self.0.stuck.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Hands every call on, unless it is switched off.
pub(in crate::tests) fn switched(inner: Arc<dyn Store>, switches: &Arc<Switches>) -> FailingStore {
    let switches = Arc::clone(switches);
    FailingStore::waiting(inner, move |call| {
        let switches = Arc::clone(&switches);
        async move {
            if switches.hanging.load(Ordering::SeqCst) {
                if IN_THE_BACKGROUND.contains(&call) {
                    return std::future::pending().await;
                }
                switches.stuck.fetch_add(1, Ordering::SeqCst);
                let _counted = Stuck(switches);
                return std::future::pending().await;
            }
            match switches.away.load(Ordering::SeqCst) {
                false => Ok(()),
                true => {
                    let why = "secret-host:5432 refused the connection".to_owned();
                    Err(StoreError::Unavailable(why))
                }
            }
        }
    })
}
