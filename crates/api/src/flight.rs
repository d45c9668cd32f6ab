//! One question to the database for all who ask the same at once.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared};

/// Asks once for everybody who comes while the answer is awaited, so that health checks do not pile up
/// before a database that hangs.
#[derive(Debug)]
pub(crate) struct Flight<T: Clone>(Mutex<Option<UnderWay<T>>>);

#[derive(Debug)]
struct UnderWay<T: Clone> {
    begun: Instant,
    answer: Shared<BoxFuture<'static, Option<T>>>,
}

impl<T: Clone> Default for Flight<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Clone + Send + Sync + 'static> Flight<T> {
    /// The answer to the question under way, else to `ask`; `None` when there is none within `limit` of
    /// its beginning. It goes on when whoever asked first goes away, and an answer is never told to those
    /// who come after it.
    pub(crate) async fn ask<F>(&self, limit: Duration, ask: impl FnOnce() -> F + Send) -> Option<T>
    where
        F: Future<Output = Option<T>> + Send + 'static,
    {
        let answer = {
            let mut under_way = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let joined = under_way
                .as_ref()
                .filter(|it| it.answer.peek().is_none() && it.begun.elapsed() < limit);
            match joined {
                Some(joined) => joined.answer.clone(),
                None => {
                    // In a task of its own, so that it ends also when nobody waits any more.
                    let asking = tokio::spawn(tokio::time::timeout(limit, ask()));
                    let answer = asking.map(|answer| answer.ok()?.ok()?).boxed().shared();
                    *under_way = Some(UnderWay { begun: Instant::now(), answer: answer.clone() });
                    answer
                }
            }
        };
        answer.await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    const LIMIT: Duration = Duration::from_millis(200);

    #[tokio::test]
    async fn those_who_ask_at_once_share_one_question_and_later_ones_ask_anew() {
        let (flight, asked) = (Flight::<u32>::default(), Arc::new(AtomicU32::new(0)));
        let ask = || {
            let asked = Arc::clone(&asked);
            flight.ask(LIMIT, move || async move {
                let number = asked.fetch_add(1, Ordering::SeqCst) + 1;
                tokio::task::yield_now().await;
                Some(number)
            })
        };
        assert_eq!(tokio::join!(ask(), ask(), ask()), (Some(1), Some(1), Some(1)));
        assert_eq!(ask().await, Some(2));
    }

    #[tokio::test]
    async fn a_question_without_an_answer_ends_in_time_and_does_not_stand_for_the_next() {
        let flight = Flight::<u32>::default();
        let hang = || flight.ask(LIMIT, std::future::pending);
        assert_eq!(tokio::join!(hang(), hang()), (None, None));
        assert_eq!(flight.ask(LIMIT, || async { Some(7) }).await, Some(7));
    }
}
