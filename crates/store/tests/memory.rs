//! The in-memory store keeps the contract.

use std::sync::Arc;

use kasparro_store::{MemoryStore, Store, store_contract};

store_contract!(|| -> Arc<dyn Store> { Arc::new(MemoryStore::new()) });
