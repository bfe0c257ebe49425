"""The report in a browser: wide and narrow, light and dark. Skipped where there is no Chromium."""

import html
import json
import os
import re
import shutil
import subprocess

import pytest

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium here (Debian's package 'chromium')")
WIDTHS = (390, 1400)
# A page that holds the report as wide as a phone and as a screen, and says of both what it finds.
MEASURE = """<!DOCTYPE html><html><body>{frames}<pre id="found"></pre><script>
window.onload = () => {{
  const found = [...document.querySelectorAll("iframe")].map(frame => {{
    const page = frame.contentDocument, body = page.body, style = frame.contentWindow.getComputedStyle;
    const images = [...page.images];
    return {{
      width: page.documentElement.clientWidth,
      needs: page.documentElement.scrollWidth,
      broken: images.filter(image => !image.complete || image.naturalWidth < 100).length,
      images: images.length,
      least: Math.min(...images.map(image => image.getBoundingClientRect().width / image.naturalWidth)),
      ink: style(body).color,
      paper: style(body).backgroundColor,
      small: [...page.querySelectorAll("p, td, th, a, summary, figcaption")]
        .filter(one => parseFloat(style(one).fontSize) < 11).length,
    }};
  }});
  document.getElementById("found").textContent = JSON.stringify(found);
}};
</script></body></html>"""


def luminance(colour: str) -> float:
    """Relative, of 'rgb(r, g, b)' (WCAG 2)."""
    parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def measured(page, profile, *flags: str) -> list[dict]:
    """What the browser finds in the report at each of `WIDTHS`."""
    command = [
        BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--user-data-dir={profile}",
        "--dump-dom", "--virtual-time-budget=20000", "--window-size=1600,1000", *flags, page.as_uri(),
    ]  # fmt: skip
    # No bus of the desktop, or the browser waits for one.
    environment = os.environ | {"DBUS_SESSION_BUS_ADDRESS": "disabled:"}
    said = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300, check=True).stdout
    return json.loads(html.unescape(re.search(r'<pre id="found">(.+?)</pre>', said)[1]))


@pytest.fixture(scope="module")
def page(drawn, tmp_path_factory):
    inside = html.escape(drawn.read_text(encoding="utf-8"))
    frames = "".join(
        f'<iframe srcdoc="{inside}" style="width:{width}px;height:900px;border:0"></iframe>' for width in WIDTHS
    )
    path = tmp_path_factory.mktemp("page") / "measure.html"
    path.write_text(MEASURE.format(frames=frames), encoding="utf-8")
    return path


@pytest.mark.parametrize("is_dark", [False, True])
def test_the_report_is_readable_wide_and_narrow(page, tmp_path, is_dark):
    found = measured(page, tmp_path / "profile", f"--blink-settings=preferredColorScheme={0 if is_dark else 1}")
    assert [one["width"] for one in found] == list(WIDTHS)
    for one in found:
        assert one["needs"] <= one["width"]  # tables and wide figures scroll by themselves
        assert one["broken"] == 0 and one["images"] == 16
        assert one["least"] > 0.5 and one["small"] == 0
        ink, paper = luminance(one["ink"]), luminance(one["paper"])
        assert (paper < ink) == is_dark
        assert (max(ink, paper) + 0.05) / (min(ink, paper) + 0.05) > 10
