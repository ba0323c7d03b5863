#!/bin/bash
# dashboard.html: well-formed, nothing from elsewhere, colours that can be read, names of hidden projects left out, the size that stat said,
# its search, what it says of more app instances than it lists; that it is made again when something changed, and only then.
# timeout: 300
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
need python3 duk

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
assert_has "$text" '1 in projects that are closed to others' "those that are counted and not listed"
assert_has "$text" '1 project that needs someone is closed to others' "hidden ones that need someone"

# ---- the search: the page's own script, in an engine without a screen; in the real one where it is at hand ----
# found FILE TEXT WANTED: rows, and what the page says
found() {
    local browser
    for browser in duktape chromium; do
        [ $browser = duktape ] || command -v chromium >/dev/null || continue
        assert_eq "$(PAGE_BROWSER=$browser "$SOURCE/tests/lib/page.py" "$1" "$2" | paste -sd ' ')" "$3" "search for '$2' ($browser)"
    done
}
found "$T/four.html" 'P/ revoked' 'p/b 1 of 4 listed app instances'
found "$T/four.html" 'not_issued' 'p/c p/d 2 of 4 listed app instances'
found "$T/four.html" '' 'p/b p/a p/c p/d '
found "$T/four.html" 'nobody' '0 of 4 listed app instances'

# ---- kept, and made again ----
made() { sha256sum <"$MNT/dashboard.html"; }
stays() { # the page tells the time, to the second; the monitor may have something to note at first
    local first
    first=$(made)
    sleep 1.1
    [ "$(made)" = "$first" ]
}
wait_until 20 stays
mkdir "$PROJECTS/p/apps/e"
assert_has "$(cat "$MNT/dashboard.html")" 'p/e<' "what was just made"
chmod 700 "$PROJECTS/p"
assert_lacks "$(cat "$MNT/dashboard.html")" 'p/e<' "what was just closed to others"
chmod 755 "$PROJECTS/p"
check_clean

# ---- more than are listed ----
mkdir "$PROJECTS/many" "$PROJECTS/many/apps/sample"
upload many int
cat "$PROJECTS/many/apps/sample/device_ca.pem" >/dev/null
stop_certfs
"$BUILDDIR/tests/bench/fixture" "$STORE" many 10100 10100 >/dev/null
start_certfs
page_says() { grep -qF -- "$1" "$MNT/dashboard.html"; } # what takes long to make is kept for some seconds
wait_until 30 page_says '<p>106 more are not listed; none of them needs anybody.'
echo "a drill" >"$PROJECTS/many/signing_ca/compromised"
wait_until 30 page_says '<p>106 more are not listed, and some of them need someone, too: these are the worst 10000.'
assert_eq "$(grep -Ec 'scope="row">(many|p)/' "$MNT/dashboard.html")" 10000 "listed"
