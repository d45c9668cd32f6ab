//! Ids of assets: of one that there is, of one that was found to be another, or of none.

use std::sync::Arc;

use axum::response::Response;
use http::header::LOCATION;
use http::{HeaderValue, StatusCode, Uri};
use kasparro_domain::AssetId;
use kasparro_view::{Row, Snapshot};
use serde::Serialize;
use utoipa::ToSchema;

use crate::answer::RequestContext;
use crate::normal_path::prefix;
use crate::problem::{Code, Problem};
use crate::respond;

/// Where an asset is now.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MovedAsset)]
pub(crate) struct MovedBody {
    /// The asset that this id belongs to now.
    asset_id: i64,
    /// The path to ask, as in the header `Location`.
    location: String,
}

/// What an id of an asset leads to.
pub(super) enum Found {
    /// Its listings, by ascending id.
    Here(Vec<Arc<Row>>),
    /// The asset that it was found to be.
    Moved(AssetId),
}

/// Looks for an asset.
pub(super) fn find(snapshot: &Snapshot, id: AssetId) -> Result<Found, Problem> {
    match snapshot.present_asset(id) {
        Some(present) if present == id => {
            let mut rows = snapshot.asset(id);
            rows.sort_by_key(|row| row.listing_id());
            Ok(Found::Here(rows))
        }
        Some(present) => Ok(Found::Moved(present)),
        None => {
            let problem = Problem::new(Code::AssetNotFound, format!("there is no asset {id}"));
            Err(problem.at_generation(snapshot.generation()))
        }
    }
}

/// Sends a client on to the asset that an id belongs to now, with the rest of what it asked for. People may
/// part the two again, so nobody keeps the answer (`Cache-Control` is `no-cache` as everywhere).
pub(super) fn elsewhere(
    context: &RequestContext,
    original: &Uri,
    present: AssetId,
    snapshot: &Snapshot,
) -> Response {
    let location = location(original, present);
    let header = HeaderValue::from_str(&location);
    let body = MovedBody { asset_id: present.0, location };
    let mut response = respond::json_with(context, StatusCode::PERMANENT_REDIRECT, body);
    if let Ok(header) = header {
        response.headers_mut().insert(LOCATION, header);
    }
    respond::at_generation(response, snapshot.generation())
}

/// `/api/v1/assets/7/history/?limit=2` with another id in place of the 7.
fn location(original: &Uri, present: AssetId) -> String {
    let path = original.path();
    let prefix = prefix(path);
    let behind = path.split_once("/assets/").map_or("", |(_, behind)| behind);
    let rest = behind.find('/').and_then(|at| behind.get(at..)).unwrap_or_default();
    let query = original.query().map(|query| format!("?{query}")).unwrap_or_default();
    format!("{prefix}/assets/{present}{rest}{query}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_id_is_another_one() {
        for (original, expected) in [
            ("/assets/7", "/assets/3"),
            ("/assets/7/", "/assets/3/"),
            ("/assets/%37/", "/assets/3/"),
            ("/api/v1/assets/007/history/?limit=2&a=/b", "/api/v1/assets/3/history/?limit=2&a=/b"),
            ("http://other.example/assets/7/identity", "/assets/3/identity"),
        ] {
            let original: Uri = original.parse().unwrap();
            assert_eq!(location(&original, AssetId(3)), expected, "{original}");
        }
    }
}
