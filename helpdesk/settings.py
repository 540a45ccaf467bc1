"""Settings. What an operator may choose comes from the environment, and every such
word is explained in docs/operations.md; helpdesk.checks refuses what is unsafe."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import environ
from csp.constants import NONE, SELF
from django.utils.translation import gettext_lazy as _

from .secrets import kept_secret

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.FileAwareEnv()  # SECRET_KEY_FILE=/run/secrets/key works too

# --- where and how it runs -------------------------------------------------------

DEBUG = env.bool("DEBUG", default=False)
HELPDESK_PRODUCTION = not DEBUG  # said apart: tests turn DEBUG off
# Demo data and its printed passwords. Served to loopback hosts only, see door.py.
HELPDESK_DEMO = env.bool("DEMO", default=False)
HELPDESK_LIMITS = env.bool("HELPDESK_LIMITS", default=True)
# Off where `manage.py clock` runs as a process of its own.
HELPDESK_CLOCK = env.bool("HELPDESK_CLOCK", default=True)
# Opens /metrics to whoever sends it; without one there is no such page.
HELPDESK_METRICS_TOKEN = env.str("HELPDESK_METRICS_TOKEN", default="")
# Database, uploads and secrets of an installation without other services.
DATA = Path(env.str("DATA", default="") or BASE_DIR / "data").absolute()
SECRET_KEY = env.str("SECRET_KEY", default="") or kept_secret(DATA, create=DEBUG)

# The address that customers and agents use, such as https://chat.example.
HELPDESK_PUBLIC_URL = env.str("PUBLIC_URL", default="").rstrip("/")
# How many reverse proxies stand in front, each adding one X-Forwarded-For entry.
HELPDESK_PROXIES = env.int("PROXIES", default=0)

_public = urlsplit(HELPDESK_PUBLIC_URL)
_https = _public.scheme == "https"
LOOPBACK_HOSTS = ["127.0.0.1", "localhost", "[::1]"]
ALLOWED_HOSTS = list(LOOPBACK_HOSTS)
if _public.hostname and not HELPDESK_DEMO:
    ALLOWED_HOSTS.append(_public.hostname)

# --- the desk's numbers ----------------------------------------------------------

HELPDESK_MESSAGE_CHARS = 4_000
HELPDESK_AGENT_MESSAGE_CHARS = 10_000
HELPDESK_UPLOAD_BYTES = 10 * 1024 * 1024
HELPDESK_UPLOAD_PIXELS = 25_000_000  # a photograph yes, a decompression bomb no
HELPDESK_ATTACHMENTS = 5  # a message

# --- parts -----------------------------------------------------------------------

INSTALLED_APPS = [
    "daphne",  # first: it replaces runserver
    "helpdesk",  # before admin: its templates replace the stock ones
    "agents",
    "customers",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "helpdesk.apps.StaticFilesConfig",
    "channels",
    "csp",
    "allauth",
    "allauth.account",
    "allauth.mfa",
]

# All of these work without holding a thread while an asynchronous view waits; one
# that does not would give every long poll a thread of its own.
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "helpdesk.sessions.private",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
]

ROOT_URLCONF = "helpdesk.urls"
ASGI_APPLICATION = "helpdesk.asgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# --- database --------------------------------------------------------------------

if DATABASE_URL := env.str("DATABASE_URL", default=""):
    _database = env.db_url_config(DATABASE_URL)
else:
    _database = {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": str(DATA / "helpdesk.sqlite3"),
    }
DATABASES = {"default": _database}
_database.setdefault("OPTIONS", {})
if _database["ENGINE"] == "django.db.backends.sqlite3":
    # IMMEDIATE: a transaction that reads and then writes fails at once under load
    # otherwise, whatever the timeout. FULL: an ack survives a power cut. Messages' ids
    # are random, and so is where they stand in an index: a page is written to many
    # times before it has to be copied from the log (32 MB) into the file.
    _database["OPTIONS"] |= {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL;PRAGMA synchronous=FULL;"
        "PRAGMA wal_autocheckpoint=8000;PRAGMA cache_size=-16000;",  # pages; -KiB
    }
    # Never :memory: – the writer has a connection of its own.
    _database["TEST"] = {"NAME": str(DATA / "test.sqlite3")}
else:
    _database["CONN_HEALTH_CHECKS"] = True
    # What is asked again and again (written.py), and only that, is planned once.
    _database["OPTIONS"]["prepare_threshold"] = 2
    # A server that vanished without a word is found out within seconds.
    _database["OPTIONS"] = {
        "keepalives_idle": 5,
        "keepalives_interval": 2,
        "keepalives_count": 3,
        "tcp_user_timeout": 10_000,  # milliseconds
    } | _database["OPTIONS"]
    # A request's thread ends with it, so a kept connection would be lost with the
    # thread: requests take theirs from a pool. Development reloads too often for it.
    if not DEBUG:
        _database["OPTIONS"]["pool"] = {"min_size": 1, "max_size": 20, "timeout": 10}

DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- channel layer and cache -----------------------------------------------------

# Several hosts, separated by commas, share the groups between them.
REDIS_URLS = env.list("REDIS_URL", default=[])
REDIS_PREFIX = env.str("REDIS_PREFIX", default="helpdesk")
if REDIS_URLS:
    CHANNEL_LAYERS = {
        "default": {
            "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
            "CONFIG": {
                # By version 3 redis-py spells out all that is pushed, for a log line.
                "hosts": [{"address": url, "protocol": 2} for url in REDIS_URLS],
                "prefix": REDIS_PREFIX,
            },
        }
    }
else:  # for commands and a look around; checks.py refuses to serve with it
    CHANNEL_LAYERS = {
        "default": {"BACKEND": "channels.layers.InMemoryChannelLayer", "CONFIG": {}}
    }

if CACHE_URL := env.str("CACHE_URL", default=""):
    CACHES = {"default": env.cache_url_config(CACHE_URL)}
elif REDIS_URLS:
    CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": REDIS_URLS[0],
        }
    }
else:
    CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
CACHES["default"]["KEY_PREFIX"] = REDIS_PREFIX

# --- log-in ----------------------------------------------------------------------

AUTHENTICATION_BACKENDS = ["agents.backends.Passwords"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/agents/"  # without an adapter; see agents/adapters.py
LOGOUT_REDIRECT_URL = "account_login"
ACCOUNT_ADAPTER = "agents.adapters.StaffAccounts"
ACCOUNT_FORMS = {"login": "agents.forms.SignIn"}
ACCOUNT_LOGIN_METHODS = {"username", "email"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "email", "password1*"]  # closed; allauth asks
ACCOUNT_EMAIL_VERIFICATION = "none"  # a superuser typed the address
ACCOUNT_EMAIL_NOTIFICATIONS = True  # of a changed password or second factor
ACCOUNT_EMAIL_SUBJECT_PREFIX = "[Helpdesk] "
# A stranger learns neither who has an account nor has us write to whom they name.
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_EMAIL_UNKNOWN_ACCOUNTS = False
ACCOUNT_DEFAULT_HTTP_PROTOCOL = "https" if _https else "http"
ACCOUNT_LOGOUT_REDIRECT_URL = "account_login"
ACCOUNT_SESSION_REMEMBER = None
ALLAUTH_TRUSTED_PROXY_COUNT = HELPDESK_PROXIES
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes"]
MFA_TOTP_ISSUER = "Helpdesk"
MFA_TOTP_TOLERANCE = 1  # periods of 30 s: telephones' clocks are not exact
# Five wrong passwords for one account lock it for five minutes; an office shares an
# address, so that one is allowed more.
ACCOUNT_RATE_LIMITS: dict[str, str] | bool = {"login_failed": "50/m/ip,5/5m/key"}
if not HELPDESK_LIMITS:
    ACCOUNT_RATE_LIMITS = MFA_RATE_LIMITS = False

# --- languages and time ----------------------------------------------------------

LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English")), ("zh-hans", _("Simplified Chinese"))]
USE_TZ = True
TIME_ZONE = "UTC"

# --- files -----------------------------------------------------------------------

STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATICFILES_FINDERS = [
    "django.contrib.staticfiles.finders.FileSystemFinder",
    "django.contrib.staticfiles.finders.AppDirectoriesFinder",
]
STATIC_ROOT = Path(env.str("STATIC_ROOT", default="") or DATA / "static")
MEDIA_ROOT = DATA / "uploads"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "helpdesk.static.HashedStaticFiles"
    },
}

# --- e-mail ----------------------------------------------------------------------

vars().update(
    env.email_url_config(
        env.str("EMAIL_URL", default="")
        or ("consolemail://" if DEBUG else "dummymail://")
    )
)
DEFAULT_FROM_EMAIL = SERVER_EMAIL = env.str(
    "EMAIL_FROM", default=f"helpdesk@{_public.hostname or 'localhost'}"
)

# --- security --------------------------------------------------------------------

SESSION_ENGINE = "helpdesk.sessions"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = LANGUAGE_COOKIE_SECURE = _https
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = LANGUAGE_COOKIE_SAMESITE = "Lax"
CSRF_TRUSTED_ORIGINS = (
    [f"{_public.scheme}://{_public.netloc}"] if _public.netloc else []
)
# No script of ours reads them: forms and the desk's page carry the token themselves.
CSRF_COOKIE_HTTPONLY = LANGUAGE_COOKIE_HTTPONLY = True
X_FRAME_OPTIONS = "DENY"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
# Off unless asked for: a browser remembers it for as long, and so does every other
# service on that host name.
SECURE_HSTS_SECONDS = env.int("HSTS_SECONDS", default=0)
SILENCED_SYSTEM_CHECKS = [
    "security.W005",  # subdomains are other services' to promise for
    "security.W021",
    "security.W008",  # the proxy that has the certificate redirects
]
DATA_UPLOAD_MAX_MEMORY_SIZE = 256 * 1024  # without files; the largest is a long poll

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "img-src": [SELF, "blob:", "data:"],
        "media-src": [SELF, "blob:", "data:"],
        "object-src": [NONE],
        "base-uri": [NONE],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    }
}

# --- log -------------------------------------------------------------------------

# For programs or for people.
HELPDESK_LOG = env.str("HELPDESK_LOG", default="text" if DEBUG else "json")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "json": {"()": "helpdesk.log.Json"},
        "text": {"()": "helpdesk.log.Line"},
    },
    "handlers": {
        "stderr": {
            "class": "logging.StreamHandler",
            "formatter": HELPDESK_LOG if HELPDESK_LOG == "json" else "text",
        }
    },
    "root": {"handlers": ["stderr"], "level": env.str("LOG_LEVEL", default="INFO")},
    "loggers": {
        # Django's own handler would print errors a second time.
        "django": {"handlers": [], "propagate": True},
        "django.server": {"handlers": [], "propagate": True},
        # One line a request says little; what refuses says so itself.
        "django.channels.server": {"level": "WARNING"},
        "daphne": {"level": "WARNING"},
    },
}
