//! The last net around keys, what clients used, and requests with one effect, tried past the program.

mod common;
#[path = "common/first_batch.rs"]
mod first_batch;
#[path = "common/refused.rs"]
mod refused;
#[path = "common/refused_but_for.rs"]
mod refused_but_for;

use refused::refused;
use refused_but_for::refused_but_for;

const NUL: &str = "'a' || char(0)";
const TOO_LONG: &str = "hex(zeroblob(128))";

#[tokio::test]
async fn a_key_has_an_id_a_name_a_scope_and_an_hmac() {
    let good = [
        ("key_id", "'0aZ9zA00'"),
        ("name", "'a dashboard'"),
        ("scope", "'operate'"),
        ("hmac", "zeroblob(32)"),
        ("requests", "0"),
        ("created_at", "0"),
        ("expires_at", "5"),
        ("revoked_at", "NULL"),
        ("last_used_at", "NULL"),
    ];
    let changes = [
        ("key_id", "'0aZ9zA0'"),
        ("key_id", "'0aZ9zA000'"),
        ("key_id", "'0aZ9zA0_'"),
        ("key_id", "'0aZ9zA0\u{e9}'"),
        ("key_id", "'0aZ9zA00' || char(0) || 'a'"),
        ("key_id", "NULL"),
        ("name", "''"),
        ("name", NUL),
        ("name", TOO_LONG),
        ("scope", "'Admin'"),
        ("scope", "'write'"),
        ("scope", "NULL"),
        ("hmac", "zeroblob(31)"),
        ("hmac", "zeroblob(33)"),
        ("hmac", "NULL"),
        ("hmac", "'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'"),
        ("requests", "-1"),
        ("created_at", "NULL"),
        ("expires_at", "'soon'"),
    ];
    refused_but_for("api_key", &good, &changes).await;
}

#[tokio::test]
async fn what_was_used_has_a_client_and_a_slot_and_is_counted_upwards() {
    let good = [("slot_at", "60000"), ("client", "'b64'"), ("requests", "0")];
    let changes = [
        ("slot_at", "NULL"),
        ("client", "''"),
        ("client", NUL),
        ("client", "hex(zeroblob(33))"),
        ("requests", "-1"),
        ("requests", "NULL"),
    ];
    refused_but_for("request_usage", &good, &changes).await;
    refused(&["INSERT INTO request_usage VALUES (1, 'one', 1), (1, 'one', 2)"]).await;
}

#[tokio::test]
async fn a_request_with_one_effect_has_a_caller_a_name_and_what_it_asked() {
    let good = [
        ("caller", "'0aZ9zA00'"),
        ("name", "'a name'"),
        ("asked", "zeroblob(32)"),
        ("commands", "'[1, 2]'"),
        ("answer", "'null'"),
        ("created_at", "0"),
    ];
    let changes = [
        ("caller", "''"),
        ("caller", NUL),
        ("caller", "hex(zeroblob(33))"),
        ("name", "''"),
        ("name", NUL),
        ("name", TOO_LONG),
        ("asked", "zeroblob(31)"),
        ("asked", "zeroblob(33)"),
        ("asked", "NULL"),
        ("commands", "'{}'"),
        ("commands", "'['"),
        ("commands", "NULL"),
        ("answer", "'{'"),
        ("answer", "NULL"),
        ("created_at", "NULL"),
    ];
    refused_but_for("once", &good, &changes).await;
    let row = "('a', 'b', zeroblob(32), '[]', 'null', 0)";
    refused(&[&format!("INSERT INTO once VALUES {row}, {row}")]).await;
}
