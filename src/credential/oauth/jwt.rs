//! Signed tokens of our own (RFC 7515, RFC 7519): RS256 as Google wants them, PS256 as Microsoft does.

use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Padding;
use openssl::sign::{RsaPssSaltlen, Signer};
use openssl::x509::X509;
use serde_json::Value;

use crate::credential::{CredentialError, Result};
use crate::secret::Secret;

/// How a token is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// RSASSA-PSS with SHA-256.
    Ps256,
}

/// A private RSA key; does not show.
#[derive(Clone)]
pub struct Key(PKey<Private>);

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[secret]")
    }
}

impl Key {
    /// Reads a key in PEM form.
    ///
    /// # Errors
    /// Says what is wrong with it, without a word of it.
    pub fn from_pem(pem: &[u8]) -> std::result::Result<Self, String> {
        let encrypted = std::cell::Cell::new(false);
        // Without a callback of ours OpenSSL would ask for a passphrase on the terminal.
        let key = PKey::private_key_from_pem_callback(pem, |_| {
            encrypted.set(true);
            Err(openssl::error::ErrorStack::get())
        });
        match key {
            Ok(key) if key.rsa().is_ok() => Ok(Self(key)),
            Ok(_) => Err("is no RSA key".to_owned()),
            Err(_) if encrypted.get() => Err(
                "is encrypted; write it without passphrase, 0600: openssl pkey -in KEY -out NEW"
                    .to_owned(),
            ),
            Err(_) => Err("holds no private key in PEM form".to_owned()),
        }
    }

    /// True when the certificate is for this key.
    #[must_use]
    pub fn fits(&self, certificate: &Certificate) -> bool {
        certificate
            .0
            .public_key()
            .is_ok_and(|public| self.0.public_eq(&public))
    }

    /// Header, claims and signature.
    ///
    /// # Errors
    /// Those of OpenSSL.
    pub fn sign(&self, algorithm: Algorithm, header: &Value, claims: &Value) -> Result<Secret> {
        let part = |json: &Value| base64url(json.to_string().as_bytes());
        let signed = format!("{}.{}", part(header), part(claims));
        let signature = self
            .signature(algorithm, signed.as_bytes())
            .map_err(|error| CredentialError::last(format!("sign a token: {error}")))?;
        Ok(Secret::new(format!("{signed}.{}", base64url(&signature))))
    }

    fn signature(
        &self,
        algorithm: Algorithm,
        bytes: &[u8],
    ) -> std::result::Result<Vec<u8>, openssl::error::ErrorStack> {
        let mut signer = Signer::new(MessageDigest::sha256(), &self.0)?;
        if algorithm == Algorithm::Ps256 {
            signer.set_rsa_padding(Padding::PKCS1_PSS)?;
            signer.set_rsa_pss_saltlen(RsaPssSaltlen::DIGEST_LENGTH)?;
        }
        signer.sign_oneshot_to_vec(bytes)
    }
}

/// An X.509 certificate.
#[derive(Debug, Clone)]
pub struct Certificate(X509);

impl Certificate {
    /// Reads a certificate in PEM form; `None` where there is none.
    #[must_use]
    pub fn from_pem(pem: &[u8]) -> Option<Self> {
        X509::from_pem(pem).ok().map(Self)
    }

    /// Its `x5t#S256` (RFC 7515 section 4.1.8).
    ///
    /// # Errors
    /// Those of OpenSSL.
    pub fn thumbprint(&self) -> Result<String> {
        let digest = self.0.digest(MessageDigest::sha256());
        digest
            .map(|digest| base64url(&digest))
            .map_err(|error| CredentialError::last(format!("digest of the certificate: {error}")))
    }
}

/// base64url without padding (RFC 7515 section 2).
#[must_use]
pub fn base64url(bytes: &[u8]) -> String {
    openssl::base64::encode_block(bytes)
        .trim_end_matches('=')
        .replace('+', "-")
        .replace('/', "_")
}

/// Random bytes, as base64url: of a length that nobody guesses.
///
/// # Errors
/// The system gives none.
pub fn nonce() -> Result<String> {
    let mut bytes = [0; 32];
    openssl::rand::rand_bytes(&mut bytes)
        .map_err(|error| CredentialError::last(format!("random numbers: {error}")))?;
    Ok(base64url(&bytes))
}

#[cfg(test)]
mod tests {
    use openssl::rsa::Rsa;
    use openssl::sign::Verifier;

    use super::*;

    fn key() -> PKey<Private> {
        PKey::from_rsa(Rsa::generate(2048).expect("a key")).expect("a key")
    }

    #[test]
    fn signatures_are_what_they_say() {
        let private = key();
        let pem = private.private_key_to_pem_pkcs8().expect("PEM");
        let ours = Key::from_pem(&pem).expect("a key");
        for algorithm in [Algorithm::Rs256, Algorithm::Ps256] {
            let json = serde_json::json!({"a": 1});
            let token = ours.sign(algorithm, &json, &json).expect("signed");
            let (signed, signature) = token.expose().rsplit_once('.').expect("three parts");
            assert_eq!(signed, "eyJhIjoxfQ.eyJhIjoxfQ");
            let padded = signature.replace('-', "+").replace('_', "/") + "==";
            let signature = openssl::base64::decode_block(&padded).expect("base64");
            let mut verifier = Verifier::new(MessageDigest::sha256(), &private).expect("verifier");
            if algorithm == Algorithm::Ps256 {
                verifier
                    .set_rsa_padding(Padding::PKCS1_PSS)
                    .expect("padding");
            }
            let good = verifier.verify_oneshot(&signature, signed.as_bytes());
            assert!(good.expect("verified"), "{algorithm:?}");
        }
    }

    #[test]
    fn keys_that_cannot_be_used_are_named_and_nobody_is_asked() {
        let private = key();
        let cipher = openssl::symm::Cipher::aes_128_cbc();
        let pem = private.private_key_to_pem_pkcs8_passphrase(cipher, b"passphrase");
        let error = Key::from_pem(&pem.expect("PEM")).expect_err("encrypted");
        assert!(error.contains("encrypted"), "{error}");
        assert!(Key::from_pem(b"-----BEGIN PRIVATE KEY-----\nAAAA\n").is_err());
        assert_eq!(base64url(&[0xfb, 0xff]), "-_8");
        assert_ne!(nonce().expect("random"), nonce().expect("random"));
    }
}
