"""The groups Agent, Supervisor and Manager.

A permission granted here says what; Site.managers says of which sites. Who may
enter the admin at all is a user's “staff status”.
"""

from typing import Any

from django.contrib.auth.management import create_permissions
from django.db import migrations

GROUPS = {
    "Agent": (
        "agents.view_cannedreply",
    ),
    "Supervisor": (
        "agents.view_agent",
        "agents.add_cannedreply",
        "agents.change_cannedreply",
        "agents.view_cannedreply",
        "customers.view_customer",
        "customers.view_site",
        "helpdesk.view_holiday",
        "helpdesk.view_openingslot",
        "helpdesk.view_queue",
        "helpdesk.view_queuemembership",
        "helpdesk.view_transcript",
    ),
    "Manager": (
        "agents.add_agent",
        "agents.change_agent",
        "agents.view_agent",
        "agents.add_cannedreply",
        "agents.change_cannedreply",
        "agents.delete_cannedreply",
        "agents.view_cannedreply",
        "customers.change_site",
        "customers.view_site",
        "customers.change_customer",
        "customers.view_customer",
        "helpdesk.view_auditentry",
        "helpdesk.add_holiday",
        "helpdesk.change_holiday",
        "helpdesk.delete_holiday",
        "helpdesk.view_holiday",
        "helpdesk.add_openingslot",
        "helpdesk.change_openingslot",
        "helpdesk.delete_openingslot",
        "helpdesk.view_openingslot",
        "helpdesk.add_queue",
        "helpdesk.change_queue",
        "helpdesk.view_queue",
        "helpdesk.add_queuemembership",
        "helpdesk.change_queuemembership",
        "helpdesk.delete_queuemembership",
        "helpdesk.view_queuemembership",
        "helpdesk.view_transcript",
    ),
}


def make_groups(apps: Any, schema_editor: Any = None) -> None:
    """Adds what is missing; what an operator granted besides stays."""
    make_permissions(apps)
    Group = apps.get_model("auth", "Group")
    Permission = apps.get_model("auth", "Permission")
    for name, granted in GROUPS.items():
        group, _created = Group.objects.get_or_create(name=name)
        for permission in granted:
            app_label, codename = permission.split(".")
            group.permissions.add(
                Permission.objects.get(
                    content_type__app_label=app_label, codename=codename
                )
            )


def make_permissions(apps: Any) -> None:
    """Django makes permissions after the last migration; here they are needed
    within one."""
    for label in ("customers", "agents", "helpdesk"):
        config = apps.get_app_config(label)
        # An app of a migration's state owns no models module and would be skipped.
        config.models_module = True
        create_permissions(config, apps=apps, verbosity=0)
        config.models_module = None


class Migration(migrations.Migration):
    dependencies = (
        ("helpdesk", "0001_initial"),
        ("agents", "0001_initial"),
        ("customers", "0001_initial"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
    )
    operations = (
        # Going back keeps the groups: people are in them.
        migrations.RunPython(make_groups, migrations.RunPython.noop),
    )
