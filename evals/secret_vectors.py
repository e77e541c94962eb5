"""Made-up secrets in the formats that issuers publish, and texts that only look like secrets.

Written from the issuers' documents, apart from the rules that are measured with it: it imports
nothing of them. Everything is drawn from a seed when it runs, so that no key stands in a file.

    for vector in positives(seed=1, each=20): ...
    for vector in negatives(seed=1, each=40): ...

It is one file of over 400 lines, most of them tables, so that who doubts a figure has one script to
read, which shares nothing with what it measures.
"""

from __future__ import annotations

import base64
import hashlib
import json
import string
import uuid
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from random import Random

UPPER, LOWER, DIGITS = string.ascii_uppercase, string.ascii_lowercase, string.digits
LETTERS, HEX = UPPER + LOWER, "0123456789abcdef"
BASE62 = DIGITS + UPPER + LOWER
BASE36 = DIGITS + LOWER
BASE64 = LETTERS + DIGITS + "+/"
URL64 = LETTERS + DIGITS + "-_"
PASSWORD = LETTERS + DIGITS + "!#$%*+-.=?^_~"
SLOT = "{secret}"

Make = Callable[[Random], str]


@dataclass(frozen=True, slots=True)
class Vector:
    """A text, its family (a kind of secret, or a class of look-alikes), and the secret's place."""

    text: str
    family: str
    start: int = 0
    end: int = 0


def pick(random: Random, alphabet: str, count: int) -> str:
    """``count`` characters of ``alphabet``."""
    return "".join(random.choices(alphabet, k=count))


def of(*parts: str | tuple[str, int]) -> Make:
    """A maker of literals and runs of an alphabet, one after the other."""

    def make(random: Random) -> str:
        return "".join(p if isinstance(p, str) else pick(random, *p) for p in parts)

    return make


def one_of(*makers: Make) -> Make:
    """Any of several formats of one issuer."""
    return lambda random: random.choice(makers)(random)


def digits_of(number: int, alphabet: str, width: int) -> str:
    """``number`` in the base of an alphabet, with leading zeros."""
    out = ""
    while number:
        number, rest = divmod(number, len(alphabet))
        out = alphabet[rest] + out
    return out.rjust(width, alphabet[0])


def with_crc(prefix: str) -> Make:
    """GitHub's and npm's format: 30 characters, then their CRC32 in base 62, six wide."""

    def make(random: Random) -> str:
        body = pick(random, BASE62, 30)
        return prefix + body + digits_of(zlib.crc32(body.encode()), BASE62, 6)

    return make


def gitlab_routable(random: Random) -> str:
    """GitLab's routable tokens: payload, its length in base 36, CRC32 of it all in base 36."""
    raw = f"c:1\no:{pick(random, BASE36, 2)}\nu:{pick(random, BASE36, 4)}".encode()
    payload = base64.urlsafe_b64encode(raw + random.randbytes(16) + b"\x10").decode().rstrip("=")
    head = f"glpat-{payload}.{digits_of(len(payload), BASE36, 2)}"
    return head + digits_of(zlib.crc32(head.encode()), BASE36, 7)


def grafana(random: Random) -> str:
    """Grafana's service accounts: CRC32 of all before it, its bytes from the lowest, in hex."""
    head = "glsa" + "_" + pick(random, BASE62, 32)
    return f"{head}_{zlib.crc32(head.encode()).to_bytes(4, 'little').hex()}"


def pypi(random: Random) -> str:
    """PyPI's macaroons: version 2, the location pypi.org, an identifier, caveats, a signature."""
    identifier = json.dumps({"version": 1, "permissions": "user", "user": str(uid(random))})
    raw = b"\x02\x01\x08pypi.org\x02" + bytes([len(identifier) % 128]) + identifier.encode()
    return "pypi-" + base64.urlsafe_b64encode(raw + random.randbytes(40)).decode().rstrip("=")


def uid(random: Random) -> uuid.UUID:
    """A random UUID of version 4."""
    return uuid.UUID(bytes=random.randbytes(16), version=4)


def jwt(random: Random) -> str:
    """RFC 7519: header, claims and signature."""
    header = {"alg": random.choice(("HS256", "RS256", "ES256")), "typ": "JWT"}
    claims = {"sub": pick(random, HEX, 12), "iat": random.randrange(1_700_000_000, 1_900_000_000)}
    parts = [json.dumps(part, separators=(",", ":")).encode() for part in (header, claims)]
    parts.append(random.randbytes(random.choice((32, 64, 256))))
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)


def discord(random: Random) -> str:
    """Discord's bots: the user's id in base64, a time stamp, a signature."""
    user = str(random.randrange(10**17, 10**18)).encode()
    first = base64.urlsafe_b64encode(user).decode().rstrip("=")
    return f"{first}.{pick(random, URL64, 6)}.{pick(random, URL64, random.choice((27, 38)))}"


def pem(random: Random) -> str:
    """RFC 7468, OpenSSH and OpenPGP: private keys between their lines, or cut off."""
    label = random.choice(("RSA ", "EC ", "", "ENCRYPTED ", "OPENSSH ", "DSA ", "PGP"))
    kind = "PGP PRIVATE KEY BLOCK" if label == "PGP" else f"{label}PRIVATE KEY"
    body = base64.b64encode(random.randbytes(random.choice((120, 600, 1200)))).decode()
    lines = [body[at : at + 64] for at in range(0, len(body), 64)]
    if label == "PGP":
        lines = ["Version: GnuPG v2", "", *lines, "=" + pick(random, BASE64, 4)]
    end = [] if random.random() < 0.2 and label != "PGP" else [f"-----END {kind}-----"]
    newline = random.choice(("\n", "\n", "\r\n", "\\n"))
    return newline.join([f"-----BEGIN {kind}-----", *lines, *end])


def base64_of(count: int) -> Make:
    """``count`` random bytes in base64."""
    return lambda random: base64.b64encode(random.randbytes(count)).decode()


def signature(random: Random) -> str:
    """A SAS signature: an HMAC-SHA256 in base64, escaped for a URL."""
    encoded = base64.b64encode(random.randbytes(32)).decode()
    return encoded.replace("+", "%2B").replace("/", "%2F").replace("=", "%3D")


def password(random: Random) -> str:
    """What a person or a generator makes: 10 to 20 signs with at least a digit in it."""
    length = random.randrange(10, 21)
    made = pick(random, LETTERS, 3) + pick(random, DIGITS, 1) + pick(random, PASSWORD, length - 5)
    return made + pick(random, LETTERS, 1)


def plain_password(random: Random) -> str:
    """A password without signs that a URL would escape."""
    return pick(random, LETTERS, 4) + pick(random, DIGITS, 2) + pick(random, BASE62, 8)


def basic(random: Random) -> str:
    """RFC 7617: user and password in base64."""
    return base64.b64encode(f"user{random.randrange(99)}:{password(random)}".encode()).decode()


#: Tokens that are known by themselves, wherever they stand.
TOKENS: Mapping[str, Make] = {
    "aws-access-key-id": one_of(*(of(p, (UPPER + "234567", 16)) for p in ("AKIA", "ASIA"))),
    "google-api-key": of("AIza", (URL64, 35)),
    "google-oauth-secret": of("GOCSPX", "-", (URL64, 28)),
    "google-access-token": of("ya29", ".a0", (URL64, 170)),
    "azure-client-secret": of((BASE62, 3), "8Q~", (BASE62 + "_-~.", 33), (BASE62, 1)),
    "digitalocean-token": one_of(*(of(p, "_v1_", (HEX, 64)) for p in ("dop", "doo", "dor"))),
    "databricks-token": of("dapi", (HEX, 32)),
    "heroku-key": of("HRKU", "-AA", (URL64, 58)),
    "openai-key": one_of(
        of("sk-", (BASE62, 20), "T3BlbkFJ", (BASE62, 20)),
        of("sk-", "proj-", (URL64, 74), "T3BlbkFJ", (URL64, 74)),
        of("sk-", "svcacct-", (URL64, 58), "T3BlbkFJ", (URL64, 58)),
    ),
    "anthropic-key": of("sk-", "ant-api03-", (URL64, 93), "AA"),
    "openrouter-key": of("sk-", "or-v1-", (HEX, 64)),
    "huggingface-token": of("hf", "_", (LETTERS, 34)),
    "nvidia-key": of("nvapi", "-", (URL64, 64)),
    "groq-key": of("gsk", "_", (BASE62, 52)),
    "xai-key": of("xai", "-", (BASE62, 80)),
    "perplexity-key": of("pplx", "-", (BASE62, 48)),
    "replicate-token": of("r8", "_", (BASE62, 37)),
    "langsmith-key": of("lsv2", "_pt_", (HEX, 32), "_", (HEX, 10)),
    "ai-gateway-key": of("agw", "_", (BASE62, 8), "_", (BASE62, 43)),
    "github-token": one_of(*(with_crc(f"gh{kind}_") for kind in "pousr")),
    "github-fine-grained": of("github", "_pat_", (BASE62, 22), "_", (BASE62, 59)),
    "gitlab-token": one_of(of("glpat", "-", (URL64, 20)), gitlab_routable),
    "npm-token": with_crc("npm" + "_"),
    "pypi-token": pypi,
    "rubygems-key": of("rubygems", "_", (HEX, 48)),
    "dockerhub-token": of("dckr", "_pat_", (URL64, 27)),
    "vault-token": of("hvs", ".CAES", (URL64, 90)),
    "terraform-token": of((BASE62, 14), ".atlasv1.", (BASE62, 67)),
    "pulumi-token": of("pul", "-", (HEX, 40)),
    "grafana-token": grafana,
    "new-relic-key": of("NRAK", "-", (UPPER + DIGITS, 27)),
    "sentry-token": of("sntryu", "_", (HEX, 64)),
    "atlassian-token": of("ATATT3", "xFfGF0", (URL64, 171), "=", (DIGITS + "ABCDEF", 8)),
    "linear-key": of("lin", "_api_", (BASE62, 40)),
    "postman-key": of("PMAK", "-", (HEX, 24), "-", (HEX, 34)),
    "figma-token": of("figd", "_", (URL64, 40)),
    "slack-token": one_of(
        of("xoxb", "-", (DIGITS, 12), "-", (DIGITS, 13), "-", (BASE62, 24)),
        of("xoxp", "-", (DIGITS, 12), "-", (DIGITS, 12), "-", (DIGITS, 13), "-", (HEX, 32)),
        of("xapp", "-1-A", (UPPER + DIGITS, 10), "-", (DIGITS, 13), "-", (HEX, 64)),
    ),
    "slack-webhook": of(
        "https://hooks.slack.com", "/services/T", (UPPER + DIGITS, 8),
        "/B", (UPPER + DIGITS, 10), "/", (BASE62, 24),
    ),
    "discord-token": discord,
    "discord-webhook": of("https://discord.com", "/api/webhooks/", (DIGITS, 19), "/", (URL64, 68)),
    "telegram-token": of((DIGITS[1:], 10), ":", "AA", (URL64, 33)),
    "twilio-key": of("SK", (HEX, 32)),
    "sendgrid-key": of("SG", ".", (URL64, 22), ".", (URL64, 43)),
    "mailgun-key": of("key", "-", (HEX, 32)),
    "mailchimp-key": of((HEX, 32), "-us", (DIGITS[1:], 1)),
    "stripe-key": one_of(
        of("sk", "_live_", (BASE62, 24)),
        of("rk", "_live_", (BASE62, 24)),
        of("sk", "_live_51", (BASE62, 97)),
    ),
    "stripe-webhook-secret": of("whsec", "_", (BASE62, 32)),
    "shopify-token": one_of(*(of(p, "_", (HEX, 32)) for p in ("shpat", "shpca", "shpss"))),
    "square-token": one_of(of("sq0atp", "-", (URL64, 22)), of("sq0csp", "-", (URL64, 43))),
    "notion-token": one_of(
        of("secret", "_", (BASE62, 43)), of("ntn", "_", (DIGITS, 11), (BASE62, 35))
    ),
    "airtable-token": of("pat", (BASE62, 14), ".", (HEX, 64)),
    "jwt": jwt,
    "private-key": pem,
}  # fmt: skip

#: Secrets that only their surroundings show, with the texts they stand in.
PLACED: Mapping[str, tuple[Make, tuple[str, ...]]] = {
    "aws-secret-key": (
        of((BASE64, 40)),
        (
            "[default]\nregion = eu-west-1\naws_secret_access_key = {secret}\n",
            "export AWS_SECRET_ACCESS_KEY={secret}\naws s3 ls",
            '{"Credentials": {"SecretAccessKey": "{secret}", "Expiration": "2026-09-01"}}',
            "Here is the AWS secret key: {secret} - why does boto3 say it does not match?",
            "aws_secret_key: '{secret}'",
        ),
    ),
    "azure-storage-key": (
        base64_of(64),
        (
            "DefaultEndpointsProtocol=https;AccountName=acme;AccountKey={secret};EndpointSuffix=x",
            "az storage blob list --account-name acme --account-key {secret} -c logs",
            'AZURE_STORAGE_KEY="{secret}"',
        ),
    ),
    "azure-sas": (
        signature,
        (
            "https://acme.blob.core.windows.net/c?sv=2022-11-02&sr=b&sp=r&se=2026-05-01&sig={secret}",
            "curl 'https://acme.queue.core.windows.net/q?se=2026-01-01&sp=raup&sig={secret}&sv=2021'",
        ),
    ),
    "cloudera-key": (
        base64_of(32),
        (
            "[default]\ncdp_access_key_id = 5fd1-x\ncdp_private_key = {secret}\n",
            "export CDP_PRIVATE_KEY={secret}",
        ),
    ),
    "cloudflare-token": (
        of((URL64, 40)),
        (
            "export CLOUDFLARE_API_TOKEN={secret}",
            'cloudflare: {email: a@b.c, api_token: "{secret}"}',
        ),
    ),
    "okta-token": (
        of("00", (URL64, 40)),
        ("OKTA_API_TOKEN={secret}", 'curl -H "Authorization: SSWS {secret}" https://x.okta.com/'),
    ),
    "heroku-key": (
        lambda random: str(uid(random)),
        ("HEROKU_API_KEY={secret} heroku apps", "heroku_api_key: '{secret}'"),
    ),
    "twilio-key": (
        of((HEX, 32)),
        ("TWILIO_AUTH_TOKEN={secret}", "twilio = Client(account_sid, '{secret}')"),
    ),
    "connection-string": (
        plain_password,
        (
            "DATABASE_URL=postgres://app:{secret}@db.internal:5432/app",
            "mysql://root:{secret}@10.0.0.5/shop?charset=utf8",
            '{"mongo": "mongodb+srv://svc:{secret}@cluster0.ab1.mongodb.net/?w=majority"}',
            "redis://:{secret}@cache:6379/0 does not answer",
            "broker: amqps://worker:{secret}@mq.example.org:5671/jobs",
            "postgresql+psycopg2://etl:{secret}@warehouse/db",
            "jdbc:postgresql://db:5432/app?user=app&password={secret}&ssl=true",
            "jdbc:sqlserver://db;databaseName=crm;user=sa;password={secret};encrypt=true",
            "Server=tcp:db,1433;Database=crm;User Id=app;Password={secret};Encrypt=True",
        ),
    ),
    "url-password": (
        plain_password,
        (
            "git clone https://deploy:{secret}@git.corp.net/team/app.git",
            "HTTPS_PROXY=http://proxyuser:{secret}@10.1.1.1:3128",
            "curl -u admin:{secret} https://jenkins.corp.net/job/x/build",
        ),
    ),
    "authorization-header": (
        one_of(of((BASE62, 40)), basic),
        (
            "Authorization: Bearer {secret}\r\nAccept: */*",
            'curl -H "Authorization: Basic {secret}" https://api.corp.net/v2/me',
            "headers = {'Authorization': 'Bearer {secret}'}",
        ),
    ),
    "assignment": (
        one_of(password, plain_password, of((HEX, 32)), of((BASE62, 24))),
        (
            'DB_PASSWORD="{secret}"',
            "password: '{secret}'",
            'const apiKey = "{secret}";',
            '{"client_secret": "{secret}", "scope": "read"}',
            'config.secret_token = "{secret}"',
            "The password is: {secret}\nPlease reset it.",
            "my_service --token '{secret}' --verbose",
            "<password>{secret}</password>",
            "X-Api-Key: {secret}\nAccept: */*",
            "ACCESS_TOKEN={secret}\nDEBUG=1",
        ),
    ),
}

CONTEXTS = (
    "export SERVICE_ENV={secret}\n./deploy.sh --all",
    '{"name": "ci", "value": "{secret}", "retries": 3}',
    "service:\n  replicas: 2\n  credential: {secret}\n  region: eu\n",
    "service:\n  - '{secret}'\n",
    "I cannot log in any more. They gave me {secret} last week, can you see what is wrong?",
    "What is this that I found in our wiki? {secret}",
    "curl -s -H 'X-Service: {secret}' https://api.corp.net/v1/items",
    "2026-03-04T10:22:31Z WARN auth: rejected {secret} from 10.2.3.4 after 3 tries",
    'client = Client("{secret}", timeout=30)',
    "const c = connect('{secret}', { retries: 2 });",
    "Put `{secret}` into the settings, then restart.",
    "id,name,value\n1,prod,{secret}\n2,dev,none\n",
    '<add key="service" value="{secret}"/>',
    'variable "x" {\n  default = "{secret}"\n}',
    'printf "first line\\n{secret}\\nlast line"',
    "ENV SERVICE={secret}\nRUN make",
    "({secret})",
    "{secret}",
)


def positives(seed: int, each: int) -> Iterator[Vector]:
    """``each`` texts of every kind with one secret of it."""
    random = Random(seed)
    for kind, make in TOKENS.items():
        for at in range(each):
            yield planted(CONTEXTS[at % len(CONTEXTS)], make(random), kind)
    for kind, (make, contexts) in PLACED.items():
        for at in range(each):
            yield planted(contexts[at % len(contexts)], make(random), kind)


def planted(context: str, secret: str, kind: str) -> Vector:
    """A secret in its context, and where it stands there."""
    start = context.index(SLOT)
    return Vector(context.replace(SLOT, secret), kind, start, start + len(secret))


WORDS = (
    *("river", "table", "window", "market", "garden", "silver", "music", "letter", "engine"),
    *("winter", "coffee", "paper", "planet", "bridge", "doctor", "museum", "number", "orange"),
    *("pencil", "school", "summer", "theory", "travel", "velvet", "yellow", "zebra", "token"),
    *("key", "password", "secret", "access", "account", "header", "signature", "certificate"),
)


def words(random: Random, count: int, between: str = " ") -> str:
    """Ordinary words, some of them about secrets."""
    return between.join(random.choices(WORDS, k=count))


def identifier(random: Random) -> str:
    """A long name in a program's text."""
    return random.choice(
        (
            words(random, 5, "_"),
            words(random, 4, "-"),
            "".join(word.title() for word in words(random, 5).split()),
            f"com.corp.{words(random, 4, '.')}",
        )
    )


def digest(random: Random) -> str:
    """A checksum line."""
    data = random.randbytes(20)
    return random.choice(
        (
            f"md5: {hashlib.md5(data).hexdigest()}",
            f"{hashlib.sha256(data).hexdigest()}  dist/app-1.2.3.tar.gz",
            f"sha256:{hashlib.sha256(data).hexdigest()}",
            f'etag = "{hashlib.sha1(data).hexdigest()}"',
        )
    )


def integrity(random: Random) -> str:
    """A line of a lock file."""
    encoded = base64.b64encode(random.randbytes(64)).decode()
    return random.choice(
        (
            f'"integrity": "sha512-{encoded}"',
            f"h1:{base64.b64encode(random.randbytes(32)).decode()}",
            f'cdnjs integrity="sha384-{base64.b64encode(random.randbytes(48)).decode()}"',
            f"    --hash=sha256:{pick(random, HEX, 64)} \\",
        )
    )


def placeholder(random: Random) -> str:
    """What documents write where a secret goes."""
    value = random.choice(
        (
            "your-api-key", "YOUR_API_KEY_HERE", "<token>", "xxxxxxxxxxxxxxxx", "changeme",
            "********", "${DB_PASSWORD}", "{{ secrets.TOKEN }}", "$(cat token.txt)", "example",
            "REPLACE_ME", "[redacted]", "...", "insert-key-here", "%API_KEY%",
            "process.env.API_KEY", 'os.environ["API_KEY"]', "null", "undefined", "none",
            "dummy-value", "todo", "<your secret>",
        )
    )  # fmt: skip
    name = random.choice(("password", "api_key", "token", "client_secret", "AWS_SECRET_ACCESS_KEY"))
    return random.choice((f'{name} = "{value}"', f"{name}: {value}", f"export {name}={value}"))


def documented(random: Random) -> str:
    """Keys that documents show: an issuer's prefix on something that is no key."""
    filler = random.choice(("x", "X", "0", "a", "*", "."))
    return random.choice(
        (
            "AKIA" + "IOSFODNN7" + "EXAMPLE",
            "aws_secret_access_key = " + "wJalrXUtnFEMI/K7MDENG/bPxRfiCY" + "EXAMPLEKEY",
            "ghp_" + filler * 36,
            "sk-" + filler * 48,
            "sk-ant-api03-" + "...",
            "xoxb-" + "your-token-here-please",
            "hf_" + filler * 34,
            "glpat-" + filler * 20,
            "sk_test_" + pick(random, BASE62, 24),
            "postgres://user:" + random.choice(("password", "pass", "<password>")) + "@host/db",
            "Authorization: Bearer " + random.choice(("<token>", "$TOKEN", "YOUR_ACCESS_TOKEN")),
            "https://hooks.slack.com/services/" + "T00000000/B00000000/" + "X" * 24,
            "-----BEGIN PRIVATE KEY-----\n" + "...\n" + "-----END PRIVATE KEY-----",
        )
    )


def public(random: Random) -> str:
    """Certificates, public keys and signatures."""
    encoded = base64.b64encode(random.randbytes(300)).decode()
    lines = "\n".join(encoded[at : at + 64] for at in range(0, len(encoded), 64))
    label = random.choice(("CERTIFICATE", "PUBLIC KEY", "PGP SIGNATURE", "RSA PUBLIC KEY"))
    block = f"-----BEGIN {label}-----\n{lines}\n-----END {label}-----"
    return random.choice((block, f"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5{encoded[:48]} ann@corp.net"))


def prose(random: Random) -> str:
    """Sentences about secrets."""
    return random.choice(
        (
            "How do I rotate an API key without downtime? The token: is it sent in a header?",
            "The password is wrong, says the form, although the secret is in the vault.",
            "Explain what a JWT is: three parts, of which the first begins with eyJ.",
            "Is it safe to store a token in localStorage, or is a cookie better?",
            "GitHub tokens begin with ghp_ and OpenAI's with sk-; how does a scanner find them?",
            "Use Authorization: Bearer authentication, or Basic authentication with a proxy.",
            "What does 'secret = forgotten' mean in this poem about a risk-averse desk-clerk?",
            "Set password: required in the form's schema, and token: optional.",
            "My token budget is 128000; max_tokens=4096, and the secret is patience.",
            "The connection string postgres://localhost:5432/app has no password in it.",
        )
    ) + f" {words(random, 6)}."  # fmt: skip


def template(random: Random) -> str:
    """Variables' names, templates and code that handles secrets without holding one."""
    name = random.choice(("DB_PASSWORD", "API_KEY", "GITHUB_TOKEN", "AWS_SECRET_ACCESS_KEY"))
    return random.choice(
        (
            f"export {name}",
            f"{name}=",
            f"{name}=${name}\nNEXT=1",
            f'password = os.environ["{name}"]',
            f"token = get_token(user, scope='{words(random, 1)}')",
            f"const secret = await vault.read('{words(random, 3, '/')}');",
            f"password: ${{{{ secrets.{name} }}}}",
            f"if (token !== {words(random, 2, '_')}) return;",
            "def login(username: str, password: str) -> Token:",
            f"api_key = config.{words(random, 2, '.')}",
            f"postgres://${{USER}}:${{{name}}}@db/app",
            f"secret_name: {words(random, 3, '-')}",
            f"self.token = self.{words(random, 2, '_')}",
            f"password = getpass.getpass('{words(random, 2)}: ')",
        )
    )


def image(random: Random) -> str:
    """An image in a page, or in a request."""
    encoded = base64.b64encode(b"\x89PNG\r\n\x1a\n" + random.randbytes(900)).decode()
    return f'<img src="data:image/png;base64,{encoded}">'


def minified(random: Random) -> str:
    """A line of a bundled program."""
    names = [pick(random, LETTERS, 2) for _ in range(30)]
    return "!function(e,t){" + "".join(f"var {n}=e.{n}({n[0]},t)," for n in names) + "0}()"


#: Classes of texts that hold no secret.
LOOK_ALIKES: Mapping[str, Make] = {
    "uuid": lambda r: f"request_id={uid(r)} user={uid(r)}",
    "git": lambda r: f"commit {pick(r, HEX, 40)}\nMerge: {pick(r, HEX, 7)} {pick(r, HEX, 7)}",
    "image": image,
    "digest": digest,
    "lock file": integrity,
    "placeholder": placeholder,
    "documented example": documented,
    "colour": lambda r: f"color: #{pick(r, HEX, 6)}; background: #{pick(r, HEX, 8)};",
    "identifier": lambda r: f"{identifier(r)} = {identifier(r)}",
    "css": lambda r: f'<p class="{words(r, 3, "-")}__{pick(r, BASE36, 6)} c-{pick(r, BASE36, 8)}">',
    "minified": minified,
    "words": lambda r: words(r, 40),
    "number": lambda r: f"Call +1 ({r.randrange(200, 999)}) 555-{r.randrange(1000, 9999)}, order"
    f" {r.randrange(10**15, 10**16)}, at {r.randrange(10**9, 2 * 10**9)}",
    "prose": prose,
    "template": template,
    "public key": public,
}  # fmt: skip


def negatives(seed: int, each: int) -> Iterator[Vector]:
    """``each`` texts of every class without a secret."""
    random = Random(seed)
    for family, make in LOOK_ALIKES.items():
        for _ in range(each):
            yield Vector(make(random), family)
