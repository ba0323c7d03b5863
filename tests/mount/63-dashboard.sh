#!/bin/bash
# dashboard.html: well-formed, nothing from elsewhere, colours that can be read, names of hidden projects left out, the size that stat said.
# timeout: 300
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
need python3

# judge FILE APPS: the page as a browser and a reader without colours see it
judge() {
    python3 - "$@" <<'PYTHON'
import html.parser, re, sys
path, apps = sys.argv[1], int(sys.argv[2])
text = open(path, encoding="utf-8").read()
VOID = {"meta", "input", "line", "br"}

class Page(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.open, self.ids, self.rows, self.landmarks, self.refers = [], [], 0, set(), []
    def handle_startendtag(self, tag, attrs):
        pass
    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        assert tag not in ("img", "iframe", "link", "object", "embed"), tag
        for name, value in attrs.items():
            assert name not in ("src", "onclick", "onload"), (tag, name)
            assert name != "href" or value.startswith("#"), value
        if tag == "th":
            assert attrs.get("scope") in ("row", "col"), self.getpos()
        self.landmarks.add(tag)
        self.ids += [attrs["id"]] if "id" in attrs else []
        self.refers += [attrs[name].lstrip("#") for name in ("for", "aria-labelledby", "href") if name in attrs]
        self.rows += tag == "tr"
        if tag not in VOID:
            self.open.append(tag)
    def handle_endtag(self, tag):
        assert self.open and self.open.pop() == tag, (tag, self.getpos())

page = Page()
page.feed(text)
page.close()
assert not page.open, page.open
assert len(page.ids) == len(set(page.ids)), "ids twice"
assert set(page.refers) <= set(page.ids), (page.refers, page.ids)
assert {"header", "main", "footer", "title", "h1", "label"} <= page.landmarks
assert "default-src 'none'" in text
assert not re.search(r"https?:|url\(|@import|//[a-z]", text), "something from elsewhere"
assert "PRIVATE KEY" not in text and "<script>alert" not in text
assert page.rows >= apps, (page.rows, apps)

# contrast: each pair of colours that lie on each other, in both themes (WCAG 2: 4.5)
def luminance(colour):
    parts = [int(colour[i:i + 2], 16) / 255 for i in (1, 3, 5)]
    parts = [p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return sum(a * b for a, b in zip((0.2126, 0.7152, 0.0722), parts))

themes = [dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", block)) for block in re.findall(r":root \{(.*?)\}", text, re.S)]
assert len(themes) == 2 and themes[0].keys() == themes[1].keys(), themes
for theme in themes:
    pairs = [(name, name + "-bg") for name in ("error", "warn", "good", "idle")]
    pairs += [(name, ground) for name in ("text", "soft", "link") for ground in ("page", "card")]
    for front, back in pairs:
        low, high = sorted((luminance(theme[front]), luminance(theme[back])))
        ratio = (high + 0.05) / (low + 0.05)
        assert ratio >= 4.5, (front, back, ratio)
PYTHON
}

start_certfs
copy() {
    local size
    size=$(stat -c %s "$MNT/dashboard.html")
    cat "$MNT/dashboard.html" >"$1"
    assert_eq "$(stat -c %s "$1")" "$size" "size of dashboard.html"
}
copy "$T/empty.html"
judge "$T/empty.html" 0
new_project p
mkdir "$PROJECTS"/{lost,secret} "$PROJECTS/p/apps"/{a,b,c,d} "$PROJECTS/secret/apps/hidden-app"
chmod 750 "$PROJECTS/secret"
cat "$PROJECTS/p/apps"/{a,b}/device_ca.pem >/dev/null
echo stolen >"$PROJECTS/p/apps/b/revoke"
copy "$T/four.html"
judge "$T/four.html" 4
text=$(cat "$T/four.html")
assert_has "$text" '<span class="s REVOKED">REVOKED</span></td><th scope="row">p/b</th>' "a revoked app instance"
assert_has "$text" 'NO_SIGNING_CA</span></td><th scope="row">lost</th>' "a project without signing CA"
assert_lacks "$text" 'hidden-app|>secret' "a hidden project"
assert_has "$text" '5 app instances in 3 projects' "hidden ones in the sums"
assert_has "$text" '<rect class="later"' "the end of a certificate in the timeline"
assert_eq "$(grep -o 'th scope="row">p/.' <<<"$text" | paste -sd ' ' | tr -d '"' | tr -s ' ')" \
    "th scope=row>p/b th scope=row>p/a th scope=row>p/c th scope=row>p/d" "worst first"
check_clean
