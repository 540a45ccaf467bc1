from django.apps import AppConfig
from django.contrib.staticfiles import apps as staticfiles


class HelpdeskConfig(AppConfig):
    name = "helpdesk"
    verbose_name = "Helpdesk"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from . import checks  # noqa: F401  (registers the startup checks)


class StaticFilesConfig(staticfiles.StaticFilesConfig):
    """Without the sources of what is served packed, ours (`make pack`) and those of the
    admin's libraries: no page fetches them."""

    default = False  # not what "helpdesk" in INSTALLED_APPS means
    ignore_patterns = [
        *staticfiles.StaticFilesConfig.ignore_patterns,
        "jquery.js",
        "select2.full.js",
        "xregexp.js",
        "chat/*",
        "dashboard/*.js",
        "vendor/*",
        "widget/*.js",
    ]
