#!/usr/bin/env python3
"""Types into the search of dashboard.html and tells what is shown then: page.py FILE TEXT.

A line for each row that is not hidden (project/name), and last what the page says about it. The page's own script runs: in chromium where it is
installed and PAGE_BROWSER=chromium, else in duktape with as much of a document as the script asks for.
"""

import html.parser
import json
import os
import re
import subprocess
import sys
import tempfile

STUB = """
var timers = [];
function setTimeout(f) { timers.push(f); return timers.length; }
function clearTimeout() {}
var label = {}, listeners = {};
var found = {textContent: ""};
var input = {value: "", addEventListener: function (type, f) { listeners[type] = f; }};
var rows = %s.map(function (text) { return {textContent: text, hidden: false}; });
var document = {
    getElementById: function (id) { return {search: input, found: found}[id]; },
    querySelector: function () { return label; },
    querySelectorAll: function (what) { if (what !== "#list tbody tr") throw what; return rows; }
};
"""

TYPE = """
input.value = %s;
listeners.input();
timers.pop()();
rows.forEach(function (row, i) { if (!row.hidden) print(names[i]); });
print(found.textContent);
"""

IN_BROWSER = """<script>
var box = document.getElementById("search");
box.value = %s;
box.dispatchEvent(new Event("input"));
</script>"""


class Rows(html.parser.HTMLParser):
    """The list's rows: name, text, and whether the page hides it."""

    def __init__(self):
        super().__init__()
        self.rows, self.list, self.name, self.found = [], False, False, None

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.list = self.list or attrs.get("id") == "list"
        if self.list and tag == "tr":
            self.rows.append({"name": "", "text": "", "hidden": "hidden" in attrs})
        self.name = tag == "th" and attrs.get("scope") == "row"
        if attrs.get("id") == "found":
            self.found = ""

    def handle_endtag(self, tag):
        self.list = self.list and tag != "table"
        self.name = False
        if tag == "p" and self.found is not None and not isinstance(self.found, tuple):
            self.found = (self.found,)

    def handle_data(self, data):
        if isinstance(self.found, str):
            self.found += data
        if self.list and self.rows:
            self.rows[-1]["text"] += data
            self.rows[-1]["name"] += data if self.name else ""


def parse(text):
    parser = Rows()
    parser.feed(text)
    return [row for row in parser.rows if row["name"]], (parser.found or ("",))[0]


def by_browser(text, wanted):
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "page.html")
        with open(path, "w", encoding="utf-8") as out:
            out.write(text.replace("</body>", IN_BROWSER % json.dumps(wanted) + "</body>"))
        dom = subprocess.run(
            ["chromium", "--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={directory}/profile",
             "--virtual-time-budget=5000", "--dump-dom", "file://" + path],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=90, check=True, encoding="utf-8").stdout
    rows, found = parse(dom)
    return [row["name"] for row in rows if not row["hidden"]] + [found]


def by_duktape(text, wanted):
    rows, _ = parse(text)
    script = re.search(r"<script>(.*?)</script>", text, re.S)[1]
    names = "var names = " + json.dumps([row["name"] for row in rows]) + ";"
    program = STUB % json.dumps([row["text"] for row in rows]) + names + script + TYPE % json.dumps(wanted)
    with tempfile.NamedTemporaryFile("w", suffix=".js", encoding="utf-8") as file:
        file.write(program)
        file.flush()
        return subprocess.run(["duk", file.name], stdout=subprocess.PIPE, check=True, encoding="utf-8").stdout.splitlines()


def main():
    path, wanted = sys.argv[1:]
    with open(path, encoding="utf-8") as file:
        text = file.read()
    run = by_browser if os.environ.get("PAGE_BROWSER") == "chromium" else by_duktape
    print("\n".join(run(text, wanted)))


main()
