//! Wrongs done to leases.

use std::time::Duration;

use async_trait::async_trait;
use kasparro_domain::SourceName;
use kasparro_store::{Lease, LeaseStore, StoreError, StoreResult};

use super::{Fault, Twin};

#[async_trait]
impl LeaseStore for Twin {
    async fn acquire(&self, source: &SourceName, holder: &str, ttl: Duration) -> StoreResult<u64> {
        let ttl = match self.fault {
            Fault::NeverEndsLeases => ttl.max(Duration::from_secs(1)),
            _ => ttl,
        };
        let epoch = match self.inner.acquire(source, holder, ttl).await {
            Err(StoreError::Held { .. }) if self.fault == Fault::LetsTwoHold => {
                let newest = self.newest_epoch(source).unwrap_or_default();
                self.inner.release(source, newest).await?;
                self.inner.acquire(source, holder, ttl).await?
            }
            outcome => outcome?,
        };
        self.note(|notes| notes.epochs.insert(source.clone(), epoch));
        Ok(epoch)
    }

    async fn renew(&self, source: &SourceName, epoch: u64, ttl: Duration) -> StoreResult<()> {
        let fenced = || Err(StoreError::Fenced { source_name: source.clone(), epoch });
        let live =
            self.inner.leases().await?.into_iter().any(|one| one.source == *source && one.live);
        match self.inner.renew(source, epoch, ttl).await {
            Err(_) if self.fault == Fault::RenewsOldEpochs => Ok(()),
            Ok(()) if self.fault == Fault::RenewsNothingEnded && !live => fenced(),
            outcome => outcome,
        }
    }

    async fn release(&self, source: &SourceName, epoch: u64) -> StoreResult<()> {
        match self.fault {
            Fault::NeverGivesUp => Ok(()),
            _ => self.inner.release(source, epoch).await,
        }
    }

    async fn leases(&self) -> StoreResult<Vec<Lease>> {
        self.inner.leases().await
    }
}
