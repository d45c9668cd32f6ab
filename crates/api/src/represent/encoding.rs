//! The encoding of a body that a client likes best (RFC 9110, section 12.5.3). The rule is that of the layer of
//! tower-http, which compresses what is not kept compressed: a body is the same whoever encodes it.

use http::header::ACCEPT_ENCODING;
use http::{HeaderMap, HeaderValue};

/// How the bytes of a body are packed; the later ones are preferred among those that a client likes equally.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    Identity,
    Gzip,
    Brotli,
    Zstd,
}

/// Every encoding, by its place among the others.
const ALL: [Encoding; 4] = [Encoding::Identity, Encoding::Gzip, Encoding::Brotli, Encoding::Zstd];

impl Encoding {
    /// The one that a client likes best; none where it takes none of them.
    pub(crate) fn wanted(headers: &HeaderMap) -> Option<Self> {
        let mut liked = Liked::default();
        let values = headers.get_all(ACCEPT_ENCODING).iter();
        for value in values.filter_map(|value| value.to_str().ok()) {
            value.split(',').for_each(|one| liked.note(one));
        }
        liked.best()
    }

    /// Its name in headers.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Gzip => "gzip",
            Self::Brotli => "br",
            Self::Zstd => "zstd",
        }
    }

    /// It as `Content-Encoding`.
    pub(crate) const fn header(self) -> HeaderValue {
        HeaderValue::from_static(self.name())
    }

    fn named(name: &str) -> Option<Self> {
        if name.eq_ignore_ascii_case("x-gzip") {
            return Some(Self::Gzip);
        }
        ALL.into_iter().find(|encoding| name.eq_ignore_ascii_case(encoding.name()))
    }
}

/// How much a client likes each encoding, in thousandths.
#[derive(Debug, Default)]
struct Liked {
    /// As it was said first; it decides where `*` stands beside it.
    first: [Option<u16>; ALL.len()],
    /// The most that was said of it.
    most: [Option<u16>; ALL.len()],
    /// All that are not named.
    others: Option<u16>,
}

impl Liked {
    /// Notes one member of the header. What cannot be read says nothing.
    fn note(&mut self, member: &str) {
        let (name, weight) = member
            .split_once(';')
            .map_or((member, None), |(name, weight)| (name, Some(weight.trim())));
        let Some(weight) = weight.map_or(Some(1000), thousandths) else { return };
        let name = name.trim();
        if name == "*" {
            self.others.get_or_insert(weight);
        } else if let Some(encoding) = Encoding::named(name) {
            let place = encoding as usize;
            self.first[place].get_or_insert(weight);
            self.most[place] = self.most[place].max(Some(weight));
        }
    }

    fn best(&self) -> Option<Encoding> {
        let weight = |encoding: Encoding| match self.others {
            None => self.most[encoding as usize],
            Some(others) => Some(self.first[encoding as usize].unwrap_or(others)),
        };
        let taken = ALL.into_iter().filter(|one| weight(*one).is_some_and(|weight| weight > 0));
        let best = taken.max_by_key(|one| (weight(*one), *one as usize));
        // Whoever names nothing that we have gets the body as it is, unless that is what it refuses.
        let as_it_is = self.others.is_none() && weight(Encoding::Identity).is_none();
        best.or(as_it_is.then_some(Encoding::Identity))
    }
}

/// A weight (`q=0.5`) in thousandths; none where it is not written as RFC 9110 says.
fn thousandths(text: &str) -> Option<u16> {
    let number = text.strip_prefix(['q', 'Q'])?.strip_prefix('=')?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let whole = match whole {
        "0" => 0,
        "1" => 1000,
        _ => return None,
    };
    if fraction.len() > 3 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let digits = fraction.bytes().zip([100, 10, 1]);
    let fraction: u16 = digits.map(|(digit, worth)| u16::from(digit - b'0') * worth).sum();
    (whole + fraction <= 1000).then_some(whole + fraction)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn wanted(values: &[&str]) -> Option<Encoding> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(ACCEPT_ENCODING, HeaderValue::from_str(value).unwrap());
        }
        Encoding::wanted(&headers)
    }

    /// What the layer of the router makes of the same headers.
    fn chosen_by_the_layer(values: &[String]) -> Option<Encoding> {
        use futures_util::FutureExt as _;
        use tower::ServiceExt as _;

        let mut request = http::Request::new(axum::body::Body::empty());
        for value in values {
            request.headers_mut().append(ACCEPT_ENCODING, HeaderValue::from_str(value).unwrap());
        }
        let router = axum::Router::<()>::new()
            .route("/", axum::routing::get(|| async { "x".repeat(1_000) }))
            .layer(crate::routes::compression());
        let answered = router.oneshot(request).now_or_never().expect("an answer at once").unwrap();
        if answered.status() == http::StatusCode::NOT_ACCEPTABLE {
            return None;
        }
        let encoding = answered.headers().get(http::header::CONTENT_ENCODING);
        encoding.map_or(Some(Encoding::Identity), |it| Encoding::named(it.to_str().unwrap()))
    }

    #[test]
    fn what_a_client_likes_best_is_chosen() {
        use Encoding::*;
        for (values, expected) in [
            (&[][..], Some(Identity)),
            (&[""], Some(Identity)),
            (&["gzip, deflate, br, zstd"], Some(Zstd)),
            (&["gzip, deflate, br"], Some(Brotli)),
            (&["gzip, deflate"], Some(Gzip)),
            (&["gzip", "zstd;q=0.5"], Some(Gzip)),
            (&["X-GZIP"], Some(Gzip)),
            (&["deflate"], Some(Identity)),
            (&["identity, gzip;q=0.5"], Some(Identity)),
            (&["identity;q=0.5, gzip;q=0.5"], Some(Gzip)),
            (&["*"], Some(Zstd)),
            (&["*;q=0.1, gzip"], Some(Gzip)),
            (&["zstd;q=0, br;q=0, *"], Some(Gzip)),
            (&["*;q=0"], None),
            (&["identity;q=0"], None),
            (&["identity;q=0, gzip"], Some(Gzip)),
            (&["gzip;q=0.1, br;q=0.5, gzip;q=0.9"], Some(Gzip)),
            (&["*;q=0, gzip;q=0, gzip"], None),
            (&["*;q=2, *;q=0, *, gzip;q=0.5"], Some(Gzip)),
            (&["gzip;q=1.001"], Some(Identity)),
            (&["gzip;q=0.0000, zstd;q=+1"], Some(Identity)),
        ] {
            assert_eq!(wanted(values), expected, "{values:?}");
            let values: Vec<_> = values.iter().map(|value| (*value).to_owned()).collect();
            assert_eq!(chosen_by_the_layer(&values), expected, "{values:?}");
        }
    }

    const NAMES: [&str; 11] =
        ["gzip", "x-gzip", "GZip", "br", "zstd", "ZSTD", "identity", "*", "deflate", "gz ip", ""];
    const WEIGHTS: [&str; 25] = [
        "",
        "",
        "",
        ";q=0",
        ";q=1",
        ";q=0.5",
        ";q=0.500",
        "; Q=0.7 ",
        " ;q=0.25",
        ";q=0.",
        ";q=1.",
        ";q=1.000",
        ";q=1.001",
        ";q=0.0001",
        ";q=.5",
        ";q=2",
        ";q",
        ";",
        ";x=1",
        ";q=0.5;x=1",
        ";q=0.5a",
        ";q= 0.5",
        ";q=0.001",
        ";q=-1",
        ";q=0.+1",
    ];
    const SPACES: [&str; 4] = ["", "", " ", "\t"];

    /// One member of the header, mostly of those that mean something.
    fn member() -> impl Strategy<Value = String> {
        let parts = (
            prop::sample::select(&SPACES[..]),
            prop::sample::select(&NAMES[..]),
            prop::sample::select(&WEIGHTS[..]),
        );
        parts.prop_map(|(space, name, weight)| format!("{space}{name}{weight}"))
    }

    proptest! {
        #[test]
        fn the_choice_is_the_layer_s_whatever_is_asked(
            values in prop::collection::vec(
                prop_oneof![
                    9 => prop::collection::vec(member(), 0..6).prop_map(|members| members.join(",")),
                    1 => "[ -~]{0,24}",
                ],
                0..3,
            ),
        ) {
            let asked: Vec<_> = values.iter().map(String::as_str).collect();
            prop_assert_eq!(wanted(&asked), chosen_by_the_layer(&values), "{:?}", values);
        }
    }
}
