//! Which asset a listing belongs to.

use kasparro_domain::Membership;

/// The asset that a new listing belongs to when it is first stored.
///
/// A listing founds an asset of its own: symbols and names repeat, so nothing that one row says can
/// show that it is another source's asset. On doubt, separate.
#[must_use]
pub const fn membership() -> Membership {
    Membership::Founds
}
