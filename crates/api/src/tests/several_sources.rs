//! Lists of several sources at once.

use std::collections::BTreeSet;

use serde_json::Value;

use super::client::{get, get_json};
use super::examples::story::story;

/// The lists whose description says that they take several sources; `/stream` is none.
fn lists_of_sources() -> Vec<String> {
    let described: Value = serde_json::from_str(&crate::openapi_json()).unwrap();
    let takes = |operations: &Value| {
        let parameters = operations["get"]["parameters"].as_array().into_iter().flatten();
        parameters.into_iter().any(|parameter| {
            let text = parameter["description"].as_str().unwrap_or_default();
            parameter["name"] == "source" && text.contains("separated by commas")
        })
    };
    let paths = described["paths"].as_object().unwrap().iter();
    let taking = paths.filter(|(path, operations)| *path != "/stream" && takes(operations));
    taking.map(|(path, _)| path.replace("{id}", "1")).collect()
}

#[tokio::test]
async fn every_list_that_says_so_takes_several_sources() {
    const SOURCES: [(&str, &str); 4] = [
        ("csv", "csv_source"),
        ("coinpaprika", "coinpaprika_free"),
        ("coingecko", "coingecko_market"),
        ("feed", "rss"),
    ];
    let served = story().await.world.serve().await;
    let paths = lists_of_sources();
    assert_eq!(paths.len(), 11, "{paths:?}");
    for path in paths {
        let rows = async |sources: &str| -> BTreeSet<String> {
            let page = get_json(served.address, &format!("{path}?limit=500{sources}")).await;
            page["data"].as_array().unwrap().iter().map(ToString::to_string).collect()
        };
        let all = rows("").await;
        assert!(!all.is_empty(), "{path}");
        let everyone = SOURCES.map(|(name, _)| name).join(",");
        assert_eq!(rows(&format!("&source={everyone}")).await, all, "{path}");
        for (one, older) in SOURCES {
            for (other, _) in SOURCES {
                let both = rows(&format!("&source={older},{other}")).await;
                let mut apart = rows(&format!("&source={one}")).await;
                apart.extend(rows(&format!("&source={other}")).await);
                assert_eq!(both, apart, "{path} of {one} and {other}");
            }
        }
        let reply = get(served.address, &format!("{path}?source=csv,kraken")).await;
        reply.assert_problem(400, "invalid_parameter");
    }
}
