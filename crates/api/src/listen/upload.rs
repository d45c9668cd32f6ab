//! The body of a request while it comes: whoever sends slowly keeps nobody out.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::BoxError;
use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, SizeHint};

use super::service::Sent;
use super::turn::Turn;

/// A body that changes the place of its request while it comes.
pub(super) struct Upload<B> {
    body: Pin<Box<B>>,
    turn: Arc<Turn>,
}

impl<B: Sent> Upload<B> {
    pub(super) fn new(body: B, turn: Arc<Turn>) -> Self {
        Self { body: Box::pin(body), turn }
    }
}

impl<B: Sent> HttpBody for Upload<B> {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let polled = self.body.as_mut().poll_frame(cx);
        let going_on = match &polled {
            Poll::Pending => self.turn.wait(),
            Poll::Ready(None) => self.turn.come_back(),
            Poll::Ready(Some(_)) => Ok(()),
        };
        match going_on {
            Ok(()) => polled.map(|frame| frame.map(|frame| frame.map_err(Into::into))),
            Err(crowded_out) => Poll::Ready(Some(Err(crowded_out.into()))),
        }
    }

    fn is_end_stream(&self) -> bool {
        // The end has to be seen here, because the place changes then.
        false
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
