//! Which URLs can be those of webhooks, as far as the text tells.

use payment_runs_engine::notify::is_public;
use payment_runs_engine::ports::TargetFault;
use reqwest::Url;

/// Characters of a URL in its usual form at most.
const URL_CHARS_MAX: usize = 2048;

/// Names that stand for the machine itself.
const LOCAL_NAMES: [&str; 2] = ["localhost", "localhost.localdomain"];

/// The URL, if it can be that of a webhook. Its reading is the one by which it is called, so that there is no second
/// opinion about what its host is: `http://0x7f.1/` is read as `http://127.0.0.1/`.
pub(super) fn parse(text: &str, allows_private: bool) -> Result<Url, TargetFault> {
    let url = Url::parse(text).map_err(|_| TargetFault::Malformed)?;
    match url.scheme() {
        "https" => {}
        "http" if allows_private => {}
        _ => return Err(TargetFault::Scheme),
    }
    let is_bare = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
    let host = url.host_str().filter(|host| !host.is_empty()).ok_or(TargetFault::Malformed)?;
    if !is_bare || url.as_str().len() > URL_CHARS_MAX {
        return Err(TargetFault::Malformed);
    }
    if !allows_private && !may_be_public(host) {
        return Err(TargetFault::NotPublic);
    }
    Ok(url)
}

/// Whether a host is a public address, or a name that may have one.
fn may_be_public(host: &str) -> bool {
    let literal = host.trim_start_matches('[').trim_end_matches(']');
    if let Ok(address) = literal.parse() {
        return is_public(address);
    }
    let name = host.trim_end_matches('.');
    !LOCAL_NAMES.contains(&name) && !name.ends_with(".localhost")
}
