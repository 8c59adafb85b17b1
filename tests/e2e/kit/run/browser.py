"""Opens a page in a real Chromium and prints as JSON what a reader would find there.

    browser.py PAGE.html FILTER PDF

FILTER is typed into the page's filter; what the printer gives is written to PDF.
"""

import base64
import json
import os
import re
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request

CONTRAST = """
function channels(text) { return (text.match(/[0-9.]+/g) || []).map(Number); }
function luminance(c) {
  const part = c.slice(0, 3).map((v) => { v /= 255; return v <= 0.03928 ? v / 12.92 : Math.pow((v + 0.055) / 1.055, 2.4); });
  return 0.2126 * part[0] + 0.7152 * part[1] + 0.0722 * part[2];
}
function background(node) {
  for (let at = node; at; at = at.parentElement) {
    const c = channels(getComputedStyle(at).backgroundColor);
    if (c.length === 3 || c[3] > 0) return c;
  }
  return [255, 255, 255];
}
const bad = [];
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
// Of a large page the beginning: what follows is more of the same.
for (let seen = 0; seen < 5000 && walker.nextNode(); seen++) {
  const node = walker.currentNode.parentElement;
  if (!walker.currentNode.textContent.trim() || !node.getClientRects().length || node.tagName === "SCRIPT") continue;
  const [a, b] = [luminance(channels(getComputedStyle(node).color)), luminance(background(node))];
  const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  if (ratio < 4.5) bad.push(node.tagName + " " + node.className + " " + ratio.toFixed(2));
}
return Array.from(new Set(bad));
"""

SHOWN = """
return Array.from(document.querySelectorAll('#accounts tbody tr')).filter((row) => row.getClientRects().length)
  .map((row) => row.cells[0].textContent);
"""

UNNAMED = """
const bad = [];
if (!document.documentElement.lang) bad.push("html without lang");
document.querySelectorAll("thead th, tbody th").forEach((th) => { if (!th.scope) bad.push("th without scope"); });
document.querySelectorAll("input").forEach((input) => { if (!input.labels.length) bad.push("input without label"); });
document.querySelectorAll("svg").forEach((svg) => { if (svg.getAttribute("aria-hidden") !== "true") bad.push("svg read aloud"); });
const levels = Array.from(document.querySelectorAll("h1, h2, h3"), (h) => Number(h.tagName[1]));
levels.forEach((level, at) => { if (level - (at ? levels[at - 1] : 0) > 1) bad.push("heading skipped before " + level); });
return bad;
"""


class Browser:
    """A session of its own."""

    def __init__(self, home):
        self.driver = subprocess.Popen(["chromedriver", "--port=0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        line = ""
        while "started successfully on port" not in line:
            line = self.driver.stdout.readline()
            if not line:
                raise SystemExit("chromedriver did not start")
        self.base = "http://127.0.0.1:" + re.search(r"port (\d+)", line).group(1)
        options = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
        options += ["--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage", "--user-data-dir=" + home]
        wanted = {
            "browserName": "chrome",
            "goog:chromeOptions": {"args": options},
            "goog:loggingPrefs": {"performance": "ALL", "browser": "ALL"},
        }
        answer = self.ask("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})
        self.base += "/session/" + answer["sessionId"]

    def ask(self, method, path, body=None):
        """One command of WebDriver."""
        data = json.dumps(body if body is not None else {}).encode() if method == "POST" else None
        request = urllib.request.Request(self.base + path, data, {"Content-Type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise SystemExit(f"{method} {path}: {error.read().decode()}") from error

    def run(self, script):
        return self.ask("POST", "/execute/sync", {"script": script, "args": []})

    def devtools(self, command, **parameters):
        return self.ask("POST", "/goog/cdp/execute", {"cmd": command, "params": parameters})

    def log(self, kind):
        return self.ask("POST", "/se/log", {"type": kind})

    def element(self, selector):
        found = self.ask("POST", "/element", {"using": "css selector", "value": selector})
        return "/element/" + next(iter(found.values()))

    def text(self, selector):
        return self.ask("GET", self.element(selector) + "/text")

    def type(self, selector, text):
        self.ask("POST", self.element(selector) + "/value", {"text": text})

    def close(self):
        self.ask("DELETE", "")
        self.driver.terminate()
        self.driver.wait()


def facts(browser, page, wanted, pdf):
    """What is to be found on the page."""
    url = "file://" + os.path.abspath(page)
    found = {}
    browser.ask("POST", "/url", {"url": "about:blank"})
    # What the browser shows at first is not the page's.
    browser.log("performance")
    browser.ask("POST", "/url", {"url": url})
    found["verdict"] = browser.text("h1")
    found["rows"] = len(browser.run(SHOWN))
    found["unnamed"] = browser.run(UNNAMED)
    found["folded"] = browser.run("return Array.from(document.querySelectorAll('details.account'), (one) => one.open);")
    # By keyboard alone.
    browser.type("details.account > summary", "\ue007")
    found["unfolded"] = browser.run("return document.querySelector('details.account').open;")
    browser.run("Array.from(document.querySelectorAll('details')).slice(0, 200).forEach((one) => { one.open = true; });")
    for scheme in ["light", "dark"]:
        browser.devtools("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        found["faint in the " + scheme] = browser.run(CONTRAST)
    browser.devtools("Emulation.setEmulatedMedia", features=[])
    browser.type("#filter", wanted)
    found["filtered"] = browser.run(SHOWN)
    found["said"] = browser.text("#filtered")
    # Hundreds of pages of paper prove no more than the first few, and take the browser minutes.
    if found["rows"] <= 1000:
        paper = browser.ask("POST", "/print", {"page": {"width": 21.0, "height": 29.7}})
        with open(pdf, "wb") as file:
            file.write(base64.b64decode(paper))
    found["complaints"] = [entry["message"] for entry in browser.log("browser")]
    requests = []
    for entry in browser.log("performance"):
        message = json.loads(entry["message"])["message"]
        if message["method"] == "Network.requestWillBeSent":
            requests.append(message["params"]["request"]["url"])
    found["requests"] = [asked for asked in requests if asked.split("#")[0] != url and not asked.startswith("data:")]
    found["asked for itself"] = url in requests
    browser.devtools("Emulation.setScriptExecutionDisabled", value=True)
    browser.ask("POST", "/url", {"url": url})
    found["without scripts"] = browser.run("return document.body.innerText;")
    return found


def main():
    page, wanted, pdf = sys.argv[1:]
    with tempfile.TemporaryDirectory() as home:
        browser = Browser(home)
        try:
            print(json.dumps(facts(browser, page, wanted, pdf)))
        finally:
            browser.close()


if __name__ == "__main__":
    main()
