//! The header of operations that change something.

use utoipa::IntoParams;

/// How a request is known again.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "describes a header that is read by hand")]
pub(crate) struct ChangeParams {
    /// A text of the caller's own choice, new for each new request. The same request sent again under it
    /// within 24 hours has one effect and one answer; another one is refused with 422
    /// `idempotency_conflict`
    #[param(
        rename = "Idempotency-Key",
        min_length = 1,
        max_length = 255,
        pattern = "^[!-~]{1,255}$",
        required = false,
        nullable = false,
        example = "2f1c6e0a-run-7"
    )]
    idempotency_key: Option<String>,
}
