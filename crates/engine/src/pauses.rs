//! Waiting, so that a test may let simulated time pass in place of real time.

use std::pin::Pin;
use std::time::Duration;

/// Waits for whoever has to.
pub trait Pauses: Send + Sync {
    /// Ends once `wait` is over on the clock of the engine.
    fn pause(&self, wait: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;
}

/// Waits in real time.
#[derive(Debug, Clone, Copy, Default)]
pub struct RealPauses;

impl Pauses for RealPauses {
    fn pause(&self, wait: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(tokio::time::sleep(wait))
    }
}
