//! `/stream` over real HTTP.

mod begins;
mod cut;
mod listener;
mod pieces;
mod places;
mod told;

use std::sync::Arc;

use kasparro_view::{View, ViewSettings};

use super::keyed::unlimited;
use super::world::{Served, World, serve};
use crate::ApiSettings;
use crate::stream::{Hub, Limits};

/// A world whose age limit is three hours.
fn view_of(world: &World) -> Arc<View> {
    let settings = ViewSettings {
        stale_after: Default::default(),
        default_stale_after: std::time::Duration::from_secs(3 * 3600),
    };
    View::new(world.store.clone(), world.clock.clone(), settings)
}

/// A server, and what its streams share.
struct Telling {
    served: Served,
    hub: Arc<Hub>,
}

async fn telling(world: &World, settings: ApiSettings) -> Telling {
    let api = world.api(settings);
    let hub = Arc::clone(&api.shared.stream);
    Telling { served: serve(api).await, hub }
}

/// The same process begun anew: nothing is remembered but what the store has.
async fn restarted(world: &mut World) -> Telling {
    world.view = view_of(world);
    world.refresh().await;
    telling(world, unlimited()).await
}

fn limits(swaps: usize, rows: usize) -> Limits {
    Limits { swaps, rows, ..Limits::default() }
}
