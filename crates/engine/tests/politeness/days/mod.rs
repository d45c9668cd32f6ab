//! Days of an upstream with hidden limits, in simulated time.

pub(crate) mod catalogue;
pub(crate) mod fresh;
pub(crate) mod judge;
pub(crate) mod live;
pub(crate) mod place;
pub(crate) mod postgres;
pub(crate) mod retries;
pub(crate) mod scenario;
pub(crate) mod thin;
pub(crate) mod time;
pub(crate) mod workers;
