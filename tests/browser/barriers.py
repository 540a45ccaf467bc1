"""What somebody with other eyes, ears or hands would stumble over: axe, every rule."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import axe_playwright_python
from playwright.async_api import Frame, Page

AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text()
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
COLOURS = {"runOnly": ["color-contrast", "link-in-text-block"]}
# Only violations are told apart; a frame is asked for itself.
ALWAYS = {"resultTypes": ["violations"], "iframes": False}

# A page hears of another scheme a frame later, and a colour that still fades in is
# nobody's colour. What moves for ever does not matter.
AT_REST = """async () => {
  for (let frame = 0; frame < 2; frame++) await new Promise(requestAnimationFrame)
  await Promise.allSettled(
    document.getAnimations()
      .filter((each) => each.effect.getComputedTiming().endTime < 10_000)
      .map((each) => each.finished))
}"""


async def barriers(
    page: Page, state: str, document: Page | Frame | None = None
) -> list[str]:
    """By every rule in light, and in dark by those that colours decide."""
    found = []
    for scheme in SCHEMES:
        await page.emulate_media(color_scheme=scheme)
        rules = {} if scheme == "light" else COLOURS
        found += [
            f"{state}, {scheme}: {each}"
            for each in await violations(document or page, rules)
        ]
    return found


async def violations(
    document: Page | Frame, rules: dict[str, Any] | None = None
) -> list[str]:
    await document.evaluate(AT_REST)
    if not await document.evaluate("() => 'axe' in window"):
        await document.evaluate(AXE)
    asked = "options => axe.run(options).then(found => found.violations)"
    found = await document.evaluate(asked, ALWAYS | (rules or {}))
    return [
        f"{document.url} {each['id']}: {[node['html'][:120] for node in each['nodes']]}"
        for each in found
    ]
