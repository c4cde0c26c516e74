"""What every state of the page must hold, as a browser sees it: names of controls, contrast, room, and no complaint."""

from itertools import pairwise
from typing import Any

from tests.devtools import Tab

UNREADABLE = """
(() => {
  const channel = value => (value /= 255) <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  const numbers = colour => colour.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const ground = node => {
    for (; node; node = node.parentElement) {
      const colour = numbers(getComputedStyle(node).backgroundColor);
      if (colour.length === 3 || colour[3] > 0.99) return colour;
    }
    return [255, 255, 255];
  };
  const texts = [...document.querySelectorAll("body *")].filter(node => node.checkVisibility()
    && [...node.childNodes].some(child => child.nodeType === 3 && child.textContent.trim()));
  return texts.map(node => {
    const [ink, paper] = [light(numbers(getComputedStyle(node).color)), light(ground(node))];
    const contrast = (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05);
    return [contrast, node.tagName, node.textContent.trim().slice(0, 40)];
  }).filter(([contrast]) => contrast < 4.5);
})()
"""

NAMELESS = """
[...document.querySelectorAll("button, input, select, a, summary, canvas, img, [role]")].filter(node =>
  node.checkVisibility() && node.getAttribute("aria-hidden") !== "true" && !["status", "alert"].includes(node.role)
  && !(node.ariaLabel || node.labels?.[0]?.textContent || node.alt
  || (node.tagName !== "SELECT" && node.textContent.trim()))
  ).map(node => node.outerHTML)
"""

TOO_WIDE = """
[...document.querySelectorAll("body *")].filter(node => !node.closest(".scroll, .skip") && node.checkVisibility()
  && node.getBoundingClientRect().right > document.documentElement.clientWidth + 1
  ).map(node => node.outerHTML.slice(0, 80))
"""

TOO_SMALL = """
[...document.querySelectorAll("button, .button, select, summary")].filter(node => node.checkVisibility()
  && node.getBoundingClientRect().height < 24).map(node => node.outerHTML.slice(0, 80))
"""

HEADINGS = (
    "[...document.querySelectorAll('h1, h2, h3')].filter(one => one.checkVisibility()).map(one => +one.tagName[1])"
)

SEEN = """[...document.querySelectorAll(".face")].map(face =>
  [...face.querySelectorAll(".bar")].map(bar => bar.lastElementChild.textContent))"""


def problems(tab: Tab) -> dict[str, Any]:
    """Returns what is wrong with the page as it is, in each size and each choice of colours."""
    found: dict[str, Any] = {}
    for width, dark in ((1200, False), (1200, True), (390, False), (320, True)):
        tab.show(width, 800, dark, still=True)
        for name, script in (("contrast", UNREADABLE), ("name", NAMELESS), ("room", TOO_WIDE), ("size", TOO_SMALL)):
            if wrong := tab.value(script):
                found[f"{name} at {width}{' dark' if dark else ''}"] = wrong
    levels = tab.value(HEADINGS)
    if levels[0] != 1 or any(after > before + 1 for before, after in pairwise(levels)):
        found["headings"] = levels
    tab.show(1200, 800)
    if tab.complaints:
        found["console"] = tab.complaints
    return found
