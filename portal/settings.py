"""Settings, all from the environment; `.env.example` lists them with their meaning.

`manage.py up` fills in what the embedded servers need; docker-compose.yml what the containers do.
Legal but unsafe values are caught by `portal/checks.py`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from csp.constants import NONE, SELF

from portal import __version__, env, logs

BASE_DIR = Path(__file__).resolve().parent.parent
DATA_DIR = Path(env.text("DATA_DIR", str(BASE_DIR / "var"))).absolute()

DEBUG = env.flag("DEBUG")
SECRET_KEY = env.secret("SECRET_KEY")
VAULT_KEYS = env.secret("VAULT_KEYS")
# The last: health checks ask by it from inside, whatever the public name is.
ALLOWED_HOSTS = [*env.words("ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]"), "127.0.0.1"]
CSRF_TRUSTED_ORIGINS = env.words("CSRF_TRUSTED_ORIGINS")
PUBLIC_URL = env.text("PUBLIC_URL", "http://127.0.0.1:8000")

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django.contrib.postgres",
    "django_structlog",
    "csp",
    "rest_framework",
    "drf_spectacular",
    "portal",
    "imports",
    "exports",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    # Who may not come in is told so before a byte of the body is read: looking for CSRF's token
    # reads all of it, uploads too.
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "portal.web.middleware.AdmitFirst",
    "django.middleware.csrf.CsrfViewMiddleware",
    "portal.web.middleware.RequestLog",
    "portal.web.middleware.PrivatePages",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "portal.web.middleware.TenantMiddleware",
]

ROOT_URLCONF = "portal.urls"
WSGI_APPLICATION = "portal.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": False,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "portal.web.context.shell",
            ],
            "builtins": ["portal.web.tags"],
        },
    }
]

# --- Database: every fact. Runtime processes act as DATABASE_ROLE, which row-level security binds.
DATABASE_URL = env.secret("DATABASE_URL")
DATABASE_PASSWORD = env.secret("DATABASE_PASSWORD")
DATABASE_ROLE = env.exact("DATABASE_ROLE", "causeway_app")
LEASE_SECONDS = env.number("LEASE_SECONDS", 60)


def _database() -> dict[str, Any]:
    """The one database. A connection takes on the role as it opens, so no query can come before.

    A transaction that is idle for as long as a lease lasts is ended: a process that was frozen in
    it would hold its rows, and with them its tenant, for ever.
    """
    parsed = env.database(DATABASE_URL or "postgres://localhost/causeway")
    options = parsed["OPTIONS"]
    if DATABASE_ROLE:
        silence = f"-c idle_in_transaction_session_timeout={LEASE_SECONDS}s"
        own = f"{options.get('options', '')} -c role={DATABASE_ROLE} {silence}"
        options["options"] = own.strip()
    return parsed | {
        "PASSWORD": parsed["PASSWORD"] or DATABASE_PASSWORD,
        "ENGINE": "django.db.backends.postgresql",
        "CONN_MAX_AGE": env.number("DATABASE_CONN_MAX_AGE", 60),
        "CONN_HEALTH_CHECKS": True,
    }


DATABASES = {"default": _database()}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- Celery: a doorbell. Messages carry ids only and may be lost, late or doubled.
REDIS_URL = env.secret("REDIS_URL") or "redis://localhost:6379/0"
CELERY_BROKER_URL = REDIS_URL
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": env.number("BROKER_VISIBILITY_TIMEOUT", 3600),
    "socket_timeout": 15,
    "socket_connect_timeout": 5,
    "socket_keepalive": True,
    "health_check_interval": 30,
    "max_retries": 1,
}
CELERY_TASK_PUBLISH_RETRY = False
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_DEFAULT_QUEUE = "poll"
CELERY_TASK_ROUTES = {
    "imports.run_tenant": {"queue": "import"},
    "imports.*": {"queue": "poll"},
    "exports.write_tenant": {"queue": "import"},
    "exports.deliver_tenant": {"queue": "deliver"},
    "exports.ring_due": {"queue": "deliver"},
    "exports.*": {"queue": "poll"},
    "portal.*": {"queue": "poll"},
}
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_MAX_TASKS_PER_CHILD = 500
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_SEND_TASK_EVENTS = False
CELERY_TIMEZONE = "UTC"
SWEEP_SECONDS = env.number("SWEEP_SECONDS", 15)
# An idle worker that has received nothing for so long is restarted (portal/watchdog.py).
DEAF_SECONDS = env.number("DEAF_SECONDS", 60)

# --- Lifecycle (design.md section 3, rule 2)
HEARTBEAT_SECONDS = env.number("HEARTBEAT_SECONDS", 15)
MAX_ATTEMPTS = 3
# So long a delivered file waits for records that its rows refer to, before they are rejected.
REFERENCE_WAIT_SECONDS = env.number("REFERENCE_WAIT_SECONDS", 300)

# --- Files: the drops are a directory (the drop server's and the collector's); all else is storage.
DROPS_DIR = Path(env.text("DROPS_DIR", str(DATA_DIR / "drops")))
SPOOL_DIR = Path(env.text("SPOOL_DIR", str(DATA_DIR / "spool")))
MEDIA_ROOT = Path(env.text("FILES_DIR", str(DATA_DIR / "files")))
STORAGES = {
    "default": {
        "BACKEND": env.text("FILES_STORAGE", "django.core.files.storage.FileSystemStorage"),
    },
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
FILE_UPLOAD_PERMISSIONS = 0o600
FILE_UPLOAD_DIRECTORY_PERMISSIONS = 0o700
MAX_UPLOAD_BYTES = env.number("MAX_UPLOAD_BYTES", 2 << 30)
FILE_UPLOAD_HANDLERS = [
    "portal.web.uploads.CappedUpload",
    "django.core.files.uploadhandler.MemoryFileUploadHandler",
    "django.core.files.uploadhandler.TemporaryFileUploadHandler",
]
KEEP_FILES_DAYS = env.number("KEEP_FILES_DAYS", 30)
SHARE_LEARNED_MAPPINGS = env.flag("SHARE_LEARNED_MAPPINGS")
TEMPLATE_QUIET_SECONDS = env.number("TEMPLATE_QUIET_SECONDS", 5)
STATIC_URL = "/static/"
STATIC_ROOT = Path(env.text("STATIC_ROOT", str(DATA_DIR / "static")))
STATICFILES_DIRS = [BASE_DIR / "portal" / "static"]

# --- Drop server
SFTP_BIND = env.text("SFTP_BIND", "127.0.0.1:2222")
SFTP_PUBLIC = env.text("SFTP_PUBLIC", SFTP_BIND)
SFTP_HOST_KEY_FILE = env.text("SFTP_HOST_KEY_FILE", str(DATA_DIR / "keys/ssh_host_ed25519_key"))
SFTP_IDLE_SECONDS = env.number("SFTP_IDLE_SECONDS", 900)
SFTP_LOGIN_SECONDS = env.number("SFTP_LOGIN_SECONDS", 30)
SFTP_MAX_SESSIONS = env.number("SFTP_MAX_SESSIONS", 1000)
SFTP_MAX_SESSIONS_PER_ACCOUNT = env.number("SFTP_MAX_SESSIONS_PER_ACCOUNT", 250)
SFTP_MAX_OPEN_FILES_PER_ACCOUNT = env.number("SFTP_MAX_OPEN_FILES_PER_ACCOUNT", 512)
SFTP_MAX_UPLOAD_BYTES = env.number("SFTP_MAX_UPLOAD_BYTES", 64 << 30)
LOGIN_FAILURES = env.number("LOGIN_FAILURES", 10)
LOGIN_BAN_SECONDS = env.number("LOGIN_BAN_SECONDS", 600)

# --- Exports: seed 000 has the two limits; networks are allowed though they are not public.
EXPORT_CONNECT_SECONDS = env.number("EXPORT_CONNECT_SECONDS", 60)
EXPORT_TRANSFER_SECONDS = env.number("EXPORT_TRANSFER_SECONDS", 300)
EXPORT_ALLOWED_NETWORKS = env.words("EXPORT_ALLOWED_NETWORKS")
EXPORT_TICK_SECONDS = env.number("EXPORT_TICK_SECONDS", 2)
EXPORT_PUBLIC_ADDRESSES = env.words("EXPORT_PUBLIC_ADDRESSES")

# --- People
AUTH_USER_MODEL = "portal.User"
AUTHENTICATION_BACKENDS = ["portal.web.login.ScoredBackend"]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 12},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "login"

# --- Security
HTTPS = env.flag("HTTPS")
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = LANGUAGE_COOKIE_SECURE = HTTPS
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = LANGUAGE_COOKIE_SAMESITE = "Lax"
LANGUAGE_COOKIE_HTTPONLY = True
LANGUAGE_COOKIE_AGE = 365 * 24 * 3600
SESSION_COOKIE_AGE = 12 * 3600
SECURE_SSL_REDIRECT = HTTPS
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$", r"^metrics$"]
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
# Both bind other hosts of the operator's domain, and preloading cannot be taken back for months.
SECURE_HSTS_INCLUDE_SUBDOMAINS = HTTPS and env.flag("HSTS_SUBDOMAINS")
SECURE_HSTS_PRELOAD = HTTPS and env.flag("HSTS_PRELOAD")
BEHIND_PROXY = env.flag("BEHIND_PROXY")
if BEHIND_PROXY:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "img-src": [SELF, "data:"],
        "object-src": [NONE],
        "base-uri": [NONE],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    }
}
METRICS_TOKEN = env.secret("METRICS_TOKEN")

# --- Language and time: stored in UTC, shown in the tenant's time zone.
LANGUAGE_CODE = "en-us"
LANGUAGES = [("en-us", "English"), ("es-mx", "Español (México)")]
LOCALE_PATHS = [BASE_DIR / "portal" / "locale"]
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = True

# --- The REST API: tokens only, JSON only, every error a problem document.
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["portal.api.authentication.TokenAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["portal.api.authentication.MayUse"],
    "DEFAULT_PARSER_CLASSES": ["portal.api.reading.AnyBody"],
    "DEFAULT_RENDERER_CLASSES": ["portal.api.reading.Json"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_METADATA_CLASS": None,
    "EXCEPTION_HANDLER": "portal.api.problems.handle",
    "UNAUTHENTICATED_USER": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Causeway",
    "DESCRIPTION": "Send events to the portal and read them, with a token that a tenant admin"
    " creates. Every error is a problem document (RFC 9457).",
    "VERSION": __version__,
    "SERVE_INCLUDE_SCHEMA": False,
}

# --- Mail: by SMTP where a server is named, else into files.
EMAIL_HOST = env.text("EMAIL_HOST")
_BACKEND = "smtp" if EMAIL_HOST else "filebased"
EMAIL_BACKEND = env.text("EMAIL_BACKEND", f"django.core.mail.backends.{_BACKEND}.EmailBackend")
EMAIL_FILE_PATH = env.text("EMAIL_FILE_PATH", str(DATA_DIR / "mail"))
EMAIL_HOST_USER = env.text("EMAIL_HOST_USER")
EMAIL_HOST_PASSWORD = env.secret("EMAIL_HOST_PASSWORD")
_EMAIL_SECURITY = env.choice("EMAIL_SECURITY", ("starttls", "tls", "none"), "starttls")
EMAIL_USE_TLS, EMAIL_USE_SSL = _EMAIL_SECURITY == "starttls", _EMAIL_SECURITY == "tls"
EMAIL_PORT = env.number("EMAIL_PORT", {"starttls": 587, "tls": 465, "none": 25}[_EMAIL_SECURITY])
EMAIL_TIMEOUT = env.number("EMAIL_TIMEOUT", 10)
DEFAULT_FROM_EMAIL = SERVER_EMAIL = env.text("EMAIL_FROM", "Causeway <causeway@localhost>")
NOTIFY_QUIET_SECONDS = env.number("NOTIFY_QUIET_SECONDS", 60)
NOTIFY_LONGEST_SECONDS = env.number("NOTIFY_LONGEST_SECONDS", 600)

LOG_FORMAT = env.choice("LOG_FORMAT", ("json", "console"), "json")
LOG_LEVEL = env.choice("LOG_LEVEL", ("DEBUG", "INFO", "WARNING", "ERROR"), "INFO")
LOGGING = logs.config(LOG_FORMAT, LOG_LEVEL)
DJANGO_STRUCTLOG_CELERY_ENABLED = False
SILENCED_SYSTEM_CHECKS = [
    *("security.W004", "security.W005", "security.W008", "security.W012", "security.W016"),
    "security.W021",
]
