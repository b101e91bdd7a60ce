//! Statuses that answers documented as `4XX` and `5XX` may have.

use http::StatusCode;

/// A status that the documented range does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatusOutOfRange(pub StatusCode);

impl std::fmt::Display for StatusOutOfRange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "status {} is outside the documented range", self.0.as_u16())
    }
}

impl std::error::Error for StatusOutOfRange {}

/// A status from 400 to 499.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientErrorStatus(StatusCode);

/// A status from 500 to 599.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerErrorStatus(StatusCode);

impl ClientErrorStatus {
    /// 400.
    pub const BAD_REQUEST: Self = Self(StatusCode::BAD_REQUEST);
}

impl ServerErrorStatus {
    /// 500.
    pub const INTERNAL_SERVER_ERROR: Self = Self(StatusCode::INTERNAL_SERVER_ERROR);
}

macro_rules! checked_status {
    ($name:ident, $check:ident) => {
        impl TryFrom<StatusCode> for $name {
            type Error = StatusOutOfRange;

            fn try_from(status: StatusCode) -> Result<Self, StatusOutOfRange> {
                if status.$check() { Ok(Self(status)) } else { Err(StatusOutOfRange(status)) }
            }
        }

        impl From<$name> for StatusCode {
            fn from(status: $name) -> Self {
                status.0
            }
        }
    };
}

checked_status!(ClientErrorStatus, is_client_error);
checked_status!(ServerErrorStatus, is_server_error);

#[cfg(test)]
#[allow(clippy::expect_used, reason = "a test may stop with a message")]
mod tests {
    use super::*;

    #[test]
    fn a_status_outside_its_range_is_refused() {
        for code in [200, 399, 400, 499, 500, 599, 600] {
            let status = StatusCode::from_u16(code).expect("a status");
            assert_eq!(ClientErrorStatus::try_from(status).is_ok(), (400..500).contains(&code), "{code}");
            assert_eq!(ServerErrorStatus::try_from(status).is_ok(), (500..600).contains(&code), "{code}");
        }
    }
}
