//! When the schedule asks a source next, for those who start its runs themselves.

use kasparro_domain::{SourceName, Timestamp};

use crate::{Engine, EngineError, Holding};

impl Engine {
    /// When the schedule asks a source next: exactly when [`Engine::serve`] would, after what its upstream
    /// asked for and what its month allows. `last_start` is when the last run here began; without one the
    /// source was just taken. `None` where it is never asked by itself.
    ///
    /// # Errors
    /// [`EngineError::UnknownSource`]; [`EngineError::Store`] when the log of runs cannot be read.
    pub async fn next_start(
        &self,
        source: &SourceName,
        last_start: Option<Timestamp>,
    ) -> Result<Option<Timestamp>, EngineError> {
        let slot = self.slot(source)?;
        let last = match (last_start, self.holding) {
            (Some(last), _) => Some(last),
            (None, Holding::Leased(_)) => self.last_good_start(&slot).await?,
            (None, Holding::Alone) => None,
        };
        match last {
            Some(last) => Ok(self.next_turn(&slot, last, last).await.0),
            None => Ok(Some(self.clock.now())),
        }
    }
}
