//! The PostgreSQL store keeps the contract, on a real server.

mod common;

use kasparro_store::store_contract;

store_contract!(common::stores(""));
