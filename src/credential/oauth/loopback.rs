//! Consent in a browser on this machine (RFC 8252 section 7.3), with PKCE (RFC 7636).

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use openssl::sha::sha256;
use url::Url;

use super::endpoint::{Granted, TokenReply};
use super::jwt::{base64url, nonce};
use super::microsoft;
use super::refresh::Refresh;
use crate::credential::error::shown;
use crate::credential::{CredentialError, Result};
use crate::secret::Secret;
use crate::stop::Stop;

/// How long the browser may take.
pub const TIME: Duration = Duration::from_secs(300);
/// How often to check whether it came.
const TICK: Duration = Duration::from_millis(50);
/// How long a connection may take to send its request.
const ASKING: Duration = Duration::from_secs(5);
/// Most bytes of a request that are read.
const LONGEST: usize = 8 * 1024;
/// The host whose consent page gives a refresh token only when asked for it by parameters of its own.
const GOOGLE: &str = "accounts.google.com";

/// A consent that is waited for.
pub struct PendingConsent {
    listener: TcpListener,
    /// What to open in a browser.
    pub url: Url,
    redirect: String,
    state: String,
    verifier: Secret,
}

/// What a browser brought.
enum Redirect {
    Code(Secret),
    Declined(String),
    /// Something else, which is answered and forgotten.
    Nothing(&'static str),
}

/// Listens on loopback, and says what to open.
///
/// # Errors
/// No port; no random numbers.
pub fn begin(client: &Refresh, authorize: &Url, login: &str) -> Result<PendingConsent> {
    let failed = |error: io::Error| CredentialError::last(format!("listen on 127.0.0.1: {error}"));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    let port = listener.local_addr().map_err(failed)?.port();
    let redirect = format!("http://127.0.0.1:{port}/");
    let (verifier, state) = (nonce()?, nonce()?);
    let mut url = authorize.clone();
    let mut query = url.query_pairs_mut();
    query
        .append_pair("client_id", &client.client_id)
        .append_pair("redirect_uri", &redirect)
        .append_pair("response_type", "code")
        .append_pair("code_challenge", &base64url(&sha256(verifier.as_bytes())))
        .append_pair("code_challenge_method", "S256")
        .append_pair("state", &state)
        .append_pair("login_hint", login);
    if let Some(scope) = &client.scope {
        query.append_pair("scope", scope);
    }
    if authorize.host_str() == Some(GOOGLE) {
        query
            .append_pair("access_type", "offline")
            .append_pair("prompt", "consent");
    }
    drop(query);
    Ok(PendingConsent {
        listener,
        url,
        redirect,
        state,
        verifier: Secret::new(verifier),
    })
}

impl PendingConsent {
    /// Waits for the browser, and trades its code for tokens.
    ///
    /// # Errors
    /// The user declines, the time is over, the run is asked to stop, or a refusal.
    pub fn wait(&self, client: &Refresh, stop: &Stop) -> Result<Granted> {
        let code = self.code(stop)?;
        let secret = client.secret()?;
        let mut form = vec![
            ("grant_type", "authorization_code"),
            ("client_id", client.client_id.as_str()),
            ("code", code.expose()),
            ("code_verifier", self.verifier.expose()),
            ("redirect_uri", self.redirect.as_str()),
        ];
        form.extend(secret.as_ref().map(|it| ("client_secret", it.expose())));
        // Once: a code is good for one try.
        match client.endpoint.once(&client.token_url, &form)? {
            TokenReply::Granted(granted) => Ok(granted),
            TokenReply::Refused(refused) => {
                Err(refused.error(&client.token_url, microsoft::cause(&refused)))
            }
        }
    }

    fn code(&self, stop: &Stop) -> Result<Secret> {
        let began = Instant::now();
        while began.elapsed() < TIME {
            match self.listener.accept() {
                Ok((browser, _)) => match self.serve(browser) {
                    Ok(Redirect::Code(code)) => return Ok(code),
                    Ok(Redirect::Declined(why)) => {
                        return Err(CredentialError::last(format!("the browser says: {why}")));
                    }
                    // Anybody else who connects is not our browser.
                    Ok(Redirect::Nothing(_)) | Err(_) => {}
                },
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if stop.sleep(TICK) {
                        return Err(CredentialError::stopped());
                    }
                }
                Err(error) => {
                    return Err(CredentialError::last(format!(
                        "wait for the browser: {error}"
                    )));
                }
            }
        }
        Err(CredentialError::last(format!(
            "nobody has agreed in the browser within {} s; begin again",
            TIME.as_secs()
        )))
    }

    fn serve(&self, mut browser: TcpStream) -> io::Result<Redirect> {
        browser.set_nonblocking(false)?;
        browser.set_read_timeout(Some(ASKING))?;
        browser.set_write_timeout(Some(ASKING))?;
        let brought = self.understand(&request_target(&mut browser)?);
        let (status, text) = match &brought {
            Redirect::Code(_) => ("200 OK", "Thank you. This window can be closed."),
            Redirect::Declined(_) => ("200 OK", "Nothing was agreed. This window can be closed."),
            Redirect::Nothing(status) => (*status, "This is not the answer that was expected."),
        };
        let length = text.len();
        let answer = format!(
            "HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {length}\r\n\
             Cache-Control: no-store\r\nConnection: close\r\n\r\n{text}"
        );
        // The code is good, whether the page arrives or not.
        let _ = browser.write_all(answer.as_bytes());
        Ok(brought)
    }

    /// Only an answer with our own state is one.
    fn understand(&self, target: &str) -> Redirect {
        let url = Url::parse(&self.redirect).and_then(|base| base.join(target));
        let Some(url) = url.ok().filter(|_| !target.starts_with("//")) else {
            return Redirect::Nothing("400 Bad Request");
        };
        if url.path() != "/" {
            return Redirect::Nothing("404 Not Found");
        }
        let value = |name: &str| {
            let found = url.query_pairs().find(|(key, _)| key == name);
            found.map(|(_, value)| value.into_owned())
        };
        if value("state").as_deref() != Some(&self.state) {
            return Redirect::Nothing("400 Bad Request");
        }
        if let Some(error) = value("error") {
            let words = value("error_description").unwrap_or_default();
            return Redirect::Declined(shown(&format!("{error} {words}")));
        }
        match value("code") {
            Some(code) if !code.is_empty() => Redirect::Code(Secret::new(code)),
            _ => Redirect::Nothing("400 Bad Request"),
        }
    }
}

/// What a GET asks for.
fn request_target(browser: &mut TcpStream) -> io::Result<String> {
    let mut head = Vec::new();
    let mut buffer = [0; 1024];
    let began = Instant::now();
    while !head.windows(4).any(|window| window == b"\r\n\r\n") {
        let count = browser.read(&mut buffer)?;
        head.extend_from_slice(&buffer[..count]);
        if count == 0 || head.len() > LONGEST || began.elapsed() > ASKING {
            return Err(io::ErrorKind::InvalidData.into());
        }
    }
    let head = String::from_utf8_lossy(&head);
    let mut words = head.split(' ');
    match (words.next(), words.next()) {
        (Some("GET"), Some(target)) if target.starts_with('/') => Ok(target.to_owned()),
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting() -> PendingConsent {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        listener.set_nonblocking(true).expect("set");
        let port = listener.local_addr().expect("an address").port();
        let redirect = format!("http://127.0.0.1:{port}/");
        PendingConsent {
            listener,
            url: Url::parse(&redirect).expect("a URL"),
            redirect,
            state: "s".to_owned(),
            verifier: Secret::new("v".to_owned()),
        }
    }

    #[test]
    fn only_an_answer_with_our_state_is_one() {
        let waiting = waiting();
        let brought = |target: &str| waiting.understand(target);
        assert!(
            matches!(brought("/?code=c&state=s"), Redirect::Code(code) if code.expose() == "c")
        );
        assert!(
            matches!(brought("/?error=access_denied&state=s"), Redirect::Declined(why) if why.contains("denied"))
        );
        for other in [
            "/?code=c",
            "/?code=c&state=t",
            "/favicon.ico",
            "/?state=s",
            "//elsewhere.example/?code=c&state=s",
        ] {
            assert!(matches!(brought(other), Redirect::Nothing(_)), "{other}");
        }
    }

    #[test]
    fn strangers_are_answered_and_forgotten() {
        let waiting = waiting();
        let port = waiting.listener.local_addr().expect("an address").port();
        let ask = move |text: &str| {
            let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("connected");
            stream.write_all(text.as_bytes()).expect("asked");
            let mut answer = String::new();
            // A request that is none is closed without an answer.
            let _ = stream.read_to_string(&mut answer);
            answer
        };
        let thread = std::thread::spawn(move || {
            assert!(ask("GET /favicon.ico HTTP/1.1\r\n\r\n").contains("404"));
            assert_eq!(ask("POST / HTTP/1.1\r\n\r\n"), "");
            assert!(ask("GET /?code=c&state=s HTTP/1.1\r\n\r\n").contains("Thank you"));
        });
        let code = waiting.code(&Stop::new()).expect("a code");
        assert_eq!(code.expose(), "c");
        thread.join().expect("no panic");
    }
}
