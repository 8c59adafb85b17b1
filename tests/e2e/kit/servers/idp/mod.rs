//! An identity provider of one's own: `standin.py` over real HTTPS with its own CA, which checks what it gets; its
//! tokens are good at a real Dovecot. Knows nothing of the product.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use serde_json::{Value, json};

use crate::kit::run::python;
use crate::kit::run::tempdir::TempDir;
use crate::kit::servers::control::Control;
use crate::kit::servers::supervise::Supervised;
use crate::kit::servers::tls::{Certificates, Files, Shown, openssl};
use crate::kit::wait_until;

const SCRIPT: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/e2e/kit/servers/idp/standin.py"
);
/// What a client's secret looks like.
pub const CLIENT_SECRET: &str = "client-secret~not-to-be-seen";
/// The tenant, the application and the client that there are.
pub const TENANT: &str = "11111111-2222-3333-4444-555555555555";
/// See [`TENANT`].
pub const APP: &str = "aaaaaaaa-0000-0000-0000-000000000001";
/// See [`TENANT`].
pub const CLIENT: &str = "client-of-users";

/// A running provider; stops when dropped.
pub struct Idp {
    /// The CA that clients are to trust.
    pub ca_file: PathBuf,
    port: u16,
    plain_port: u16,
    control: Control,
    _process: Supervised,
    dir: TempDir,
}

/// A request, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// `grant_type`, `devicecode` or `authorize`.
    pub grant: String,
    /// `granted`, `fault`, `wrong`, or an OAuth error.
    pub outcome: String,
    /// What was wrong with it.
    pub wrong: String,
}

impl Idp {
    /// One that knows these users.
    pub fn start(users: &[&str]) -> Self {
        let dir = TempDir::new();
        let certificates = Certificates::make(dir.path(), Shown::Good);
        KEYS.put_into(dir.path());
        let control = json!({
            "url": "",
            "google": {
                "email": "mover@project.iam.gserviceaccount.example",
                "key_id": "k1",
                "public_key": dir.join("google.pub"),
                "scopes": ["https://www.googleapis.com/auth/gmail.imap_admin", "https://mail.google.com/"],
                "users": users,
            },
            "microsoft": {
                "tenant": TENANT,
                "client_id": APP,
                "secret": CLIENT_SECRET,
                "certificate": dir.join("app.pem"),
            },
            "client": {"id": CLIENT},
            "tenant_user": "tenant@example.com",
        });
        let control = Control::new(dir.path(), control);
        let place = dir.path().display().to_string();
        let words = python::words(&[SCRIPT, &place]);
        let process = Supervised::start(&words, &dir.join("console"));
        wait_until("the provider listens", || dir.join("port").exists());
        let port = |name: &str| {
            let text = fs::read_to_string(dir.join(name)).expect("read the port");
            text.parse().expect("a port")
        };
        let (port, plain_port) = (port("port"), port("plain-port"));
        let mut idp = Self {
            ca_file: certificates.ca_file,
            port,
            plain_port,
            control,
            _process: process,
            dir,
        };
        let url = json!(idp.url(""));
        idp.set("url", url);
        idp
    }

    /// A URL of it.
    pub fn url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.port)
    }

    /// The endpoint `what` of the tenant: `token`, `devicecode`, `authorize`.
    pub fn of_tenant(&self, what: &str) -> String {
        self.url(&format!("/{TENANT}/oauth2/v2.0/{what}"))
    }

    /// A file of it: the keys and certificates `google`, `app` and `stranger`.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Changes how it behaves from the next request on.
    pub fn set(&mut self, key: &str, value: Value) -> &mut Self {
        self.control.set(key, value);
        self
    }

    /// The key file that Google would give out for the service account.
    pub fn google_key_file(&self, key: &str) -> Value {
        let pem = fs::read_to_string(self.dir.join(format!("{key}.key"))).expect("the key");
        json!({
            "type": "service_account",
            "project_id": "project",
            "private_key_id": "k1",
            "private_key": pem,
            "client_email": "mover@project.iam.gserviceaccount.example",
            "client_id": "123456789012345678901",
            "token_uri": self.url("/google/token"),
        })
    }

    /// The `oauth` of the tenant's application, which proves itself by certificate.
    pub fn app(&self) -> Value {
        json!({
            "provider": "microsoft",
            "tenant": TENANT,
            "client_id": APP,
            "certificate_file": self.dir.join("app.pem"),
            "key_file": self.dir.join("app.key"),
            "token_url": self.of_tenant("token"),
            "ca_file": self.ca_file,
        })
    }

    /// The `oauth` of a client that acts for users.
    pub fn user_client(&self, file: &str) -> Value {
        json!({
            "provider": "refresh",
            "client_id": CLIENT,
            "refresh_token_file": file,
            "scope": "imap offline_access",
            "token_url": self.of_tenant("token"),
            "ca_file": self.ca_file,
        })
    }

    /// The requests so far.
    pub fn asked(&self) -> Vec<Asked> {
        let of = |line: &Value, key: &str| line[key].as_str().unwrap_or_default().to_owned();
        lines(&self.dir.join("requests.jsonl"))
            .iter()
            .map(|line| Asked {
                grant: of(line, "grant"),
                outcome: of(line, "outcome"),
                wrong: of(line, "wrong"),
            })
            .collect()
    }

    /// What became of the requests so far; panics where one of them was wrong.
    pub fn outcomes(&self) -> Vec<String> {
        let asked = self.asked();
        let wrong: Vec<&Asked> = asked.iter().filter(|one| one.outcome == "wrong").collect();
        assert!(wrong.is_empty(), "{wrong:?}");
        asked.into_iter().map(|one| one.outcome).collect()
    }

    /// The newest secret of a kind that was given out: `access`, `refresh`, `device`, `code`.
    pub fn newest(&self, kind: &str) -> Option<String> {
        let all = lines(&self.dir.join("tokens.jsonl"));
        let newest = all.iter().rfind(|line| line["kind"] == kind)?;
        newest["text"].as_str().map(str::to_owned)
    }

    /// All that is secret: what was given out, and the middle of each private key.
    pub fn secrets(&self) -> Vec<String> {
        let given = lines(&self.dir.join("tokens.jsonl"));
        let mut secrets: Vec<String> = given
            .iter()
            .filter_map(|line| line["text"].as_str().map(str::to_owned))
            .collect();
        for name in ["google", "app"] {
            let pem = fs::read_to_string(self.dir.join(format!("{name}.key"))).expect("the key");
            secrets.extend(pem.lines().nth(5).map(str::to_owned));
        }
        secrets.push(CLIENT_SECRET.to_owned());
        // How every assertion of the service account and of the application begins.
        secrets.push("eyJhbGciOi".to_owned());
        secrets
    }

    /// Tokens given out so far.
    pub fn given(&self) -> usize {
        let all = lines(&self.dir.join("tokens.jsonl"));
        all.iter().filter(|line| line["kind"] == "access").count()
    }

    /// Extra configuration of a Dovecot that asks this provider about tokens, beside passwords; `whom` is `%u` where
    /// a token serves its user, `%d` where it serves all of its domain.
    pub fn introspection(&self, whom: &str) -> String {
        let url = format!("http://127.0.0.1:{}/introspect", self.plain_port);
        self.dovecot(&format!(
            "introspection_mode = auth\nintrospection_url = {url}\nforce_introspection = yes\n\
             active_attribute = active\nactive_value = true\nusername_attribute = email\n\
             username_format = {whom}\ntimeout_msecs = 20000\n"
        ))
    }

    /// The same for a Dovecot that checks JWTs of [`Self::jwt`] by itself, and wants the audience `imap`.
    pub fn local_validation(&self) -> String {
        let keys = self.dir.join("keys/default/HS256");
        fs::create_dir_all(&keys).expect("create");
        fs::write(
            keys.join("default"),
            crate::kit::servers::codec::base64(JWT_SECRET.as_bytes()),
        )
        .expect("write");
        let keys = self.dir.join("keys");
        self.dovecot(&format!(
            "introspection_mode = local\nlocal_validation_key_dict = fs:posix:prefix={}/\n\
             username_attribute = email\nusername_format = %u\nissuers = https://idp.test\nclient_id = imap\n",
            keys.display()
        ))
    }

    fn dovecot(&self, settings: &str) -> String {
        let file = self.dir.join("dovecot-oauth2.conf.ext");
        fs::write(&file, settings).expect("write");
        format!(
            "auth_mechanisms = plain login xoauth2 oauthbearer\n\
             passdb {{\n driver = oauth2\n mechanisms = xoauth2 oauthbearer\n args = {}\n}}\n",
            file.display()
        )
    }

    /// A JWT for [`Self::local_validation`], with these claims over those of a good one.
    pub fn jwt(user: &str, seconds: i64, others: &Value) -> String {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let now =
            i64::try_from(now.expect("after 1970").as_secs()).expect("before the end of time");
        let mut claims = json!({
            "sub": user, "email": user, "iss": "https://idp.test", "aud": "imap",
            "iat": now - 60, "exp": now + seconds,
        });
        for (key, value) in others.as_object().into_iter().flatten() {
            claims[key] = value.clone();
        }
        let output = python::command()
            .args([SCRIPT, "--jwt", JWT_SECRET, &claims.to_string()])
            .output()
            .expect("python3 is missing");
        let token = String::from_utf8(output.stdout).expect("a JWT");
        token.trim().to_owned()
    }
}

const JWT_SECRET: &str = "secret of local validation";

fn lines(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap_or_default();
    let lines = text.lines();
    lines
        .map(|line| serde_json::from_str(line).expect("a line of JSON"))
        .collect()
}

/// Keys and certificates of everybody who signs, for all providers of a run: RSA keys take long to find.
static KEYS: LazyLock<Files> = LazyLock::new(|| {
    Files::made_by(|dir| {
        for name in ["google", "app", "stranger"] {
            openssl(
                dir,
                &format!("genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out {name}.key"),
            );
            openssl(dir, &format!("pkey -in {name}.key -pubout -out {name}.pub"));
            openssl(
                dir,
                &format!("req -x509 -key {name}.key -out {name}.pem -days 30 -subj /CN={name}"),
            );
            let owner_only = fs::Permissions::from_mode(0o600);
            fs::set_permissions(dir.join(format!("{name}.key")), owner_only).expect("set its mode");
        }
    })
});
