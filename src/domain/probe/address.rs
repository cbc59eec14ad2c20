//! The address that a probe tries.

/// What to write, where an address has another form; the schema says the same.
const FORM: &str = "write https://host/path, http://host/path or tcp://host:port, the port from 1 to 65535, without user, \
                    blanks and #";

/// How an address is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// A request over TLS.
    Https,
    /// A request.
    Http,
    /// A connection.
    Tcp,
}

/// An address to try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// How it is tried.
    pub scheme: Scheme,
    /// A name, or an IP address without brackets.
    pub host: Box<str>,
    /// The port, also where the address leaves it out.
    pub port: u16,
    /// Path and query of a request, at least `/`.
    pub path: Box<str>,
}

impl Address {
    /// Reads an address.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        Self::read(text).ok_or(FORM)
    }

    fn read(text: &str) -> Option<Self> {
        let (scheme, rest) = text.split_once("://")?;
        let (scheme, default_port) = match scheme {
            "https" => (Scheme::Https, Some(443)),
            "http" => (Scheme::Http, Some(80)),
            "tcp" => (Scheme::Tcp, None),
            _ => return None,
        };
        let (place, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        let is_plain = path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#');
        if !is_plain || (scheme == Scheme::Tcp && !path.is_empty()) {
            return None;
        }
        let (host, port) = if let Some(rest) = place.strip_prefix('[') {
            rest.split_once(']').filter(|(host, _)| is_ip_v6(host))?
        } else {
            let (host, port) = place.split_at(place.find(':').unwrap_or(place.len()));
            is_name(host).then_some((host, port))?
        };
        let port = match port.strip_prefix(':') {
            Some(digits) => read_port(digits)?,
            None if port.is_empty() => default_port?,
            None => return None,
        };
        let path = if path.starts_with('/') { path.into() } else { format!("/{path}").into() };
        Some(Self { scheme, host: host.into(), port, path })
    }
}

fn is_ip_v6(host: &str) -> bool {
    !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b':' || byte == b'.')
}

/// A name as the schema allows it; whether it exists shows when it is resolved.
fn is_name(host: &str) -> bool {
    let edge = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric());
    edge(host.bytes().next())
        && edge(host.bytes().next_back())
        && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.' || byte == b'-')
}

fn read_port(digits: &str) -> Option<u16> {
    let is_plain = digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0');
    digits.parse().ok().filter(|_| is_plain)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn parts_of_an_address() {
        let address =
            |scheme, host: &str, port, path: &str| Address { scheme, host: host.into(), port, path: path.into() };
        for (text, expected) in [
            ("https://shop.example", address(Scheme::Https, "shop.example", 443, "/")),
            ("http://shop.example?x", address(Scheme::Http, "shop.example", 80, "/?x")),
            ("http://10.0.0.1:8080/a?b=c", address(Scheme::Http, "10.0.0.1", 8080, "/a?b=c")),
            ("https://[fd00::1]/x", address(Scheme::Https, "fd00::1", 443, "/x")),
            ("tcp://[fd00::1]:5432", address(Scheme::Tcp, "fd00::1", 5432, "/")),
        ] {
            assert_eq!(Address::parse(text), Ok(expected), "{text}");
        }
        for text in ["tcp://a", "tcp://a:1/", "https://a:0", "https://a:+1", "https://u@a", "https://[a", "https://[]x"]
        {
            assert_eq!(Address::parse(text), Err(FORM), "{text}");
        }
    }
}
