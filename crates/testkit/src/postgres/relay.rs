//! A network between a program and its server that a test can break.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::runtime::Runtime;
use tokio::sync::watch;

use crate::wait_for;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Open,
    Stalled,
    Cut,
}

#[derive(Debug, Clone, Copy)]
struct State {
    mode: Mode,
    /// How often it was cut: a connection that missed the moment still learns that it is over.
    cuts: u64,
}

/// Forwards connections from a port of its own on loopback to a target, as long as the value lives.
#[derive(Debug)]
pub struct Relay {
    /// Where it listens, for example `127.0.0.1:40123`.
    pub address: String,
    state: watch::Sender<State>,
    open: Arc<AtomicUsize>,
    accepted: Arc<AtomicUsize>,
    runtime: Option<Runtime>,
}

impl Relay {
    /// Starts it towards `target`, `HOST:PORT`.
    ///
    /// # Panics
    /// When no port or thread is free.
    #[must_use]
    #[expect(clippy::expect_used, reason = "a test without its relay has failed")]
    pub fn start(target: &str) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("its address").to_string();
        listener.set_nonblocking(true).expect("a listener for the runtime");
        let (state, following) = watch::channel(State { mode: Mode::Open, cuts: 0 });
        let (open, accepted) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (counting, target) = ((Arc::clone(&open), Arc::clone(&accepted)), target.to_owned());
        runtime.spawn(async move {
            let listener = tokio::net::TcpListener::from_std(listener)?;
            loop {
                let (client, _) = listener.accept().await?;
                counting.1.fetch_add(1, Ordering::SeqCst);
                let guard = Counted::one_more(&counting.0);
                let (target, state) = (target.clone(), following.clone());
                tokio::spawn(async move {
                    // The test sees a failed connection at its ends.
                    let _ = forward(client, &target, state).await;
                    drop(guard);
                });
            }
            #[expect(unreachable_code, reason = "gives the loop its error type")]
            std::io::Result::Ok(())
        });
        Self { address, state, open, accepted, runtime: Some(runtime) }
    }

    /// Resets every connection, and every new one at once, until [`Self::heal`]. When this returns, no
    /// connection is left.
    ///
    /// # Panics
    /// When connections stay open.
    pub fn cut(&self) {
        self.state.send_modify(|state| *state = State { mode: Mode::Cut, cuts: state.cuts + 1 });
        wait_for("the end of every connection", || (self.open() == 0).then_some(()));
    }

    /// Keeps connections open and accepts new ones, but forwards nothing until [`Self::heal`], as a
    /// network does that loses every packet.
    pub fn stall(&self) {
        self.state.send_modify(|state| state.mode = Mode::Stalled);
    }

    /// Forwards again; what was stalled arrives now.
    pub fn heal(&self) {
        self.state.send_modify(|state| state.mode = Mode::Open);
    }

    /// How many connections are open now.
    #[must_use]
    pub fn open(&self) -> usize {
        self.open.load(Ordering::SeqCst)
    }

    /// How many connections were made so far, those that were reset at once included.
    #[must_use]
    pub fn accepted(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Waiting for a runtime is not allowed inside another one.
            runtime.shutdown_background();
        }
    }
}

/// Counts for as long as it lives.
struct Counted(Arc<AtomicUsize>);

impl Counted {
    fn one_more(counter: &Arc<AtomicUsize>) -> Self {
        counter.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(counter))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

async fn forward(
    mut client: TcpStream,
    target: &str,
    mut state: watch::Receiver<State>,
) -> std::io::Result<()> {
    let begun = *state.borrow();
    if begun.mode == Mode::Cut {
        return client.set_zero_linger();
    }
    let mut waiting = state.clone();
    let mut server = tokio::select! {
        server = async {
            flowing(&mut waiting).await;
            TcpStream::connect(target).await
        } => server?,
        _ = state.wait_for(|state| state.cuts != begun.cuts) => return client.set_zero_linger(),
    };
    // Small packets of the protocol go out as they came in.
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (from_client, to_client) = client.split();
    let (from_server, to_server) = server.split();
    let both = async {
        tokio::join!(
            pump(from_client, to_server, state.clone()),
            pump(from_server, to_client, state.clone())
        )
    };
    let mut state = state.clone();
    tokio::select! {
        _ = both => Ok(()),
        _ = state.wait_for(|state| state.cuts != begun.cuts) => {
            client.set_zero_linger()?;
            server.set_zero_linger()
        }
    }
}

/// Moves bytes one way until their end, which is passed on too.
async fn pump(mut from: ReadHalf<'_>, mut to: WriteHalf<'_>, mut state: watch::Receiver<State>) {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let read = from.read(&mut buffer).await.unwrap_or(0);
        flowing(&mut state).await;
        let written = match buffer.get(..read) {
            Some(bytes) if !bytes.is_empty() => to.write_all(bytes).await,
            _ => return drop(to.shutdown().await),
        };
        if written.is_err() {
            return;
        }
    }
}

/// Waits until bytes may pass.
async fn flowing(state: &mut watch::Receiver<State>) {
    if state.wait_for(|state| state.mode == Mode::Open).await.is_err() {
        // The relay is gone, and this task with it in a moment.
        std::future::pending::<()>().await;
    }
}
