"""Every reason as a sentence, in the language that is active. static/dashboard/why.js
says the same words."""

from __future__ import annotations

from collections.abc import Iterable

from django.utils.translation import gettext as _
from django.utils.translation import override

from . import reasons
from .reasons import Because


def in_english(because: Because | None) -> str:
    """As the wire has it."""
    with override(None):
        return sentence(because)


def sentence(because: Because | None) -> str:
    """“Ada: 1 of 4, idle 3 min; next would be Ben.”"""
    match because:
        case None:
            return ""
        case reasons.Chosen():
            return _chosen(because)
    values = {name: getattr(because, name) for name in because.__struct_fields__}
    return _words(because) % values


def _words(because: Because) -> str:
    match because:
        case reasons.WasLeft():
            return _("Stands in %(queue)s: left as a message.")
        case reasons.Waits():
            return _("Stands in %(queue)s: waits for an agent with room.")
        case reasons.Took():
            return _(
                "%(agent)s took it from the line: %(load)s of %(capacity)s before."
            )
        case reasons.WasGone():
            return _(
                "%(agent)s was gone for %(seconds)s s: back to the front of the line."
            )
        case reasons.CameBack():
            return _("%(agent)s came back before anybody else took it.")
        case reasons.OfferDeclined():
            return _("%(agent)s: the offer was declined.")
        case reasons.OfferLapsed():
            return _("%(agent)s: the offer lapsed.")
        case reasons.OfferMissed():
            return _("%(agent)s went away while it rang.")
    return _of_transfer(because)


def _of_transfer(because: Because) -> str:
    match because:
        case reasons.Transfers():
            return _("%(by)s transfers it to %(to)s.")
        case reasons.TransferAccepted():
            return _("%(agent)s accepted the transfer.")
        case reasons.TransferDeclined():
            return _("%(agent)s declined the transfer: it stays.")
        case reasons.TransferLapsed():
            return _("%(agent)s did not answer: it stays.")
        case reasons.TransferMissed():
            return _("%(agent)s went away before answering: it stays.")
        case reasons.TookOver():
            return _("%(agent)s took it over.")
    raise AssertionError(because)


def _chosen(why: reasons.Chosen) -> str:
    values = {"agent": why.agent, "facts": _list(_facts(why)), "next": why.next}
    if why.next:
        said = _("%(agent)s: %(facts)s; next would be %(next)s.") % values
    else:
        said = _("%(agent)s: %(facts)s.") % values
    if not why.asked:
        return said
    names = _list(_answer(asked) for asked in why.asked)
    return _("%(sentence)s Asked before: %(names)s.") % {
        "sentence": said,
        "names": names,
    }


def _facts(why: reasons.Chosen) -> list[str]:
    """What decided comes first."""
    load = _("%(load)s of %(capacity)s") % {"load": why.load, "capacity": why.capacity}
    facts = [load, _idle(why.idle_seconds)]
    match why.by:
        case "sticky":
            facts.insert(0, _("talked with this customer last"))
        case "round_robin":
            facts.insert(0, _("next in turn"))
        case "longest_idle":
            facts.reverse()
    if why.helping:
        facts.append(_("helping out %(queue)s") % {"queue": why.helping})
    return facts


def _idle(seconds: int) -> str:
    if seconds < 60:
        return _("idle %(seconds)s s") % {"seconds": seconds}
    return _("idle %(minutes)s min") % {"minutes": seconds // 60}


def _answer(asked: reasons.Asked) -> str:
    if asked.answer == "declined":
        return _("%(name)s (declined)") % {"name": asked.agent}
    return _("%(name)s (lapsed)") % {"name": asked.agent}


def _list(parts: Iterable[str]) -> str:
    return _(", ").join(parts)
