#!/bin/bash
# conf/hooks/webhook against a server on loopback: what arrives, what an answer makes of the exit status, time limit, secrets.
# shellcheck disable=SC2015 # fail does not return
set -Eeuo pipefail
SOURCE=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
T=${TEST_TMP:-$(mktemp -d)}
SERVER=
trap '[ -z "$SERVER" ] || kill "$SERVER" 2>/dev/null || true; rm -rf "$T"' EXIT
trap 'printf "FAILED: line %s: %s\n" "$LINENO" "$BASH_COMMAND" >&2' ERR
command -v curl >/dev/null || { echo "curl is not installed"; exit 77; }

fail() {
    printf 'FAILED: %s\n' "$*" >&2
    exit 1
}

# Answers /N with status N, /slow never; notes path, content type and body of each request.
cat >"$T/server.py" <<'PYTHON'
import http.server, json, os, sys, threading
directory = sys.argv[1]

class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with open(directory + "/got", "a") as file:
            file.write(json.dumps([self.path, self.headers["Content-Type"], body.decode()]) + "\n")
        if self.path.startswith("/slow"):
            threading.Event().wait(20)
        self.send_response(int(self.path[1:4]) if self.path[1:4].isdigit() else 200)
        self.send_header("Location", "/200")
        self.end_headers()
        self.wfile.write(b"the answer's text")

    def log_message(self, *arguments):
        pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
with open(directory + "/port.new", "w") as file:
    file.write(str(server.server_address[1]))
os.rename(directory + "/port.new", directory + "/port")
server.serve_forever()
PYTHON
python3 "$T/server.py" "$T" &
SERVER=$!
for _ in $(seq 250); do
    [ ! -e "$T/port" ] || break
    sleep 0.02
done
BASE=http://127.0.0.1:$(<"$T/port")

EVENT='{"id":17,"time":"2026-11-24T10:00:00Z","severity":"WARN","type":"device_ca.expiring","project":"p","app":"ä","message":"a \"quoted\" & 100% one"}'

# post PATH [VARIABLE=VALUE…]: sets STATUS
post() {
    printf '# the secret one\n\n%s%s\n' "$BASE" "$1" >"$T/url"
    : >"$T/got"
    STATUS=0
    printf '%s' "$EVENT" | env -i PATH="$PATH" URL_FILE="$T/url" "${@:2}" "$SOURCE/conf/hooks/webhook" >"$T/out" 2>"$T/complaint" || STATUS=$?
}

post '/200?token=a%20b&c=[1-3]{x}'
[ "$STATUS" = 0 ] || fail "200: exit status $STATUS: $(cat "$T/complaint")"
python3 - "$T/got" "$EVENT" <<'PYTHON' || fail "what arrived: $(cat "$T/got")"
import json, sys
lines = [json.loads(line) for line in open(sys.argv[1])]
assert lines == [["/200?token=a%20b&c=[1-3]{x}", "application/json", sys.argv[2] + "\n"]], lines
json.loads(lines[0][2])
PYTHON
[ ! -s "$T/out" ] && [ ! -s "$T/complaint" ] || fail "200: it says $(cat "$T/out" "$T/complaint")"
post /204
[ "$STATUS" = 0 ] || fail "204: exit status $STATUS"
for answer in 400 401 404 429 500 503; do
    post "/$answer?token=geheim"
    [ "$STATUS" = 22 ] || fail "$answer: exit status $STATUS"
    grep -q "$answer" "$T/complaint" || fail "$answer: it says only $(cat "$T/complaint")"
    ! grep -q geheim "$T/complaint" || fail "the URL's secret is told: $(cat "$T/complaint")"
done
post /302
[ "$STATUS" != 0 ] || fail "302: an event that nobody took counts as delivered"
SECONDS=0
post /slow TIMEOUT_SECONDS=1
[ "$STATUS" = 28 ] && [ "$SECONDS" -lt 10 ] || fail "no answer: exit status $STATUS after $SECONDS s"
BASE=http://127.0.0.1:1 post /
[ "$STATUS" = 7 ] || fail "nobody listens: exit status $STATUS"
for bad in file:///etc/passwd ftp://127.0.0.1/ 'x"' '' $'http://127.0.0.1/"\noutput = "/etc/x'; do
    BASE='' post "$bad"
    [ "$STATUS" != 0 ] && [ -s "$T/complaint" ] || fail "'$bad' is taken for a URL"
done
STATUS=0
printf '%s\n' "$EVENT" | env -i PATH="$PATH" URL_FILE="$T/none" "$SOURCE/conf/hooks/webhook" 2>"$T/complaint" || STATUS=$?
[ "$STATUS" != 0 ] && grep -q "$T/none" "$T/complaint" || fail "no URL file: exit status $STATUS"
EVENT='' post /200
[ "$STATUS" != 0 ] && [ ! -s "$T/got" ] || fail "an empty event was posted"
