"""A page opened in headless Chromium, in a frame of any width; a script looks at it and says what it saw."""

import html
import json
import re
import shutil
import subprocess
from pathlib import Path

HEADLESS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
COLLECT = """<script>
window.faults = [];
addEventListener("error", (event) => faults.push(String(event.message)));
addEventListener("unhandledrejection", (event) => faults.push(String(event.reason)));
addEventListener("securitypolicyviolation", (event) => faults.push("blocked " + event.blockedURI));
for (const how of ["error", "warn"]) console[how] = (...said) => faults.push(said.join(" "));
</script>"""
TELL = """<script>
addEventListener("load", async () => {
  const seen = {};
  try { await (async () => { %s
  })(); } catch (error) { faults.push(String(error)); }
  parent.postMessage(JSON.stringify({ ...seen, faults }), "*");
});
</script>"""
FRAME = """<!DOCTYPE html><pre id="seen"></pre>
<iframe src="%s" width="%d" height="800" style="border: 0"></iframe>
<script>
addEventListener("message", (event) => { document.getElementById("seen").textContent = event.data; });
</script>"""


def found() -> str | None:
    """Where it is, if it starts here."""
    path = shutil.which("chromium")
    try:
        asked = [path, *HEADLESS, "--dump-dom", "about:blank"]
        return path if path and b"<html" in subprocess.run(asked, capture_output=True, timeout=60).stdout else None
    except subprocess.TimeoutExpired:
        return None


CHROMIUM = found()


def look(page: str, script: str, width: int, folder: Path, place: str = "") -> dict:
    """What `script` puts into `seen`, with `faults`, all errors and warnings. `place`: of the page, as #results."""
    folder.mkdir(parents=True, exist_ok=True)
    copy, frame = folder / "page.html", folder / "frame.html"
    page = page.replace("<head>", f"<head>{COLLECT}", 1)
    copy.write_text(page.replace("</body>", f"{TELL % script}</body>"), encoding="utf-8")
    frame.write_text(FRAME % (f"page.html{place}", width), encoding="utf-8")
    profile = f"--user-data-dir={folder / 'profile'}"
    flags = [*HEADLESS, profile, f"--window-size={max(width, 500) + 50},900"]
    command = [CHROMIUM, *flags, "--virtual-time-budget=10000", "--dump-dom", frame.as_uri()]
    dom = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
    said = html.unescape(re.search(r'<pre id="seen">(.*?)</pre>', dom, re.DOTALL)[1])
    assert said, f"nothing was seen: {dom[:500]}"
    return json.loads(said)
