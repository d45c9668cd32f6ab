//! The simulator inside the test process.

use std::sync::Arc;
use std::thread::JoinHandle;

use kasparro_sim::{SimSettings, Simulator};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// A simulator on a free port of loopback, stopped when it is dropped.
#[derive(Debug)]
pub struct SimulatedUpstream {
    /// Where it listens, for example `http://127.0.0.1:40123`.
    pub url: String,
    /// The simulator, to read its ledger.
    pub simulator: Arc<Simulator>,
    shutdown: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

impl SimulatedUpstream {
    /// Starts it with a seed and so many coins, standing still.
    ///
    /// # Panics
    /// When no port or thread is free.
    #[must_use]
    #[expect(clippy::expect_used, reason = "a test without its upstream has failed")]
    pub fn start(seed: u64, coins: u32) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("its address"));
        let simulator = Simulator::new(SimSettings { seed, coins, ..SimSettings::default() });
        let shutdown = CancellationToken::new();
        let (serving, stopping) = (Arc::clone(&simulator), shutdown.clone());
        let thread = std::thread::spawn(move || {
            // What the simulator reports shows in the requests that fail.
            let _ = runtime.block_on(serving.serve(listener, stopping));
        });
        Self { url, simulator, shutdown, thread: Some(thread) }
    }

    /// Moves every value by one step.
    pub fn step(&self) {
        self.simulator.step();
    }
}

impl Drop for SimulatedUpstream {
    fn drop(&mut self) {
        self.shutdown.cancel();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
