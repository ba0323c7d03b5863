#!/bin/bash
# timeout: 300
# variants: plain
# The recipes, followed to the letter one after the other on one machine with a project plant-7; and what they promise is so.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/lib/machine.sh
. "$SOURCE/tests/lib/machine.sh"
need nginx ansible-playbook make prometheus-node-exporter promtool curl

machine_start bare
machine_install
make_home_ca
ROOT=$(in_machine /)
P=${ROOT}run/certfs/projects/plant-7
mkdir "${ROOT}run/certfs"
machine certfs mount -c /etc/certfs/certfs.conf /run/certfs
machine mkdir /run/certfs/projects/plant-7 /run/certfs/projects/plant-7/apps/gw-01
machine cp /root/ca/chain.pem /run/certfs/projects/plant-7/signing_ca/cert.pem
machine cp /root/ca/intermediate.key /run/certfs/projects/plant-7/signing_ca/key.pem

recipe() { transcript "$SOURCE/conf/recipes/$1.md"; }

# ---- IoT Edge: `iotedge config apply` looks at the files as its services do ----
mkdir -p "${ROOT}etc/aziot"
for user in aziotcs aziotks; do
    machine useradd --system --no-create-home "$user" 2>/dev/null
done
install -m 0755 "$SOURCE/tests/lib/iotedge.py" "${ROOT}usr/local/bin/iotedge"
# It notes what it is told, and starts a oneshot service as systemd would: each ExecStart line, until one fails.
cat >"${ROOT}usr/local/bin/systemctl" <<'SCRIPT'
#!/bin/sh
echo "$@" >>/run/systemctl
[ "$1" = start ] || exit 0
sed -n 's/^ExecStart=//p' "/etc/systemd/system/$2" | sh -e
SCRIPT
chmod 755 "${ROOT}usr/local/bin/systemctl"
recipe iot-edge
assert_eq "$(paste -sd ' ' "${ROOT}run/applied")" "gw-01.plant-7.example gw-02.plant-7.example" "applied"
openssl verify -x509_strict -CAfile "${ROOT}var/aziot/certs/trust_bundle.pem" -untrusted "${ROOT}var/aziot/certs/device_ca.pem" \
    "${ROOT}var/aziot/certs/device_ca.pem" >/dev/null || fail "the copied trust bundle does not verify the copied certificate"
assert_eq "$(cat "${ROOT}run/systemctl")" daemon-reload systemctl
# RequiresMountsFor is what ties the service to the mount that fstab makes
mkdir -p "$T/units"
printf '[Service]\nExecStart=/bin/true\n' >"${ROOT}etc/systemd/system/aziot-keyd.service"
said=$(machine systemd-analyze verify aziot-keyd.service 2>&1) || fail "systemd-analyze verify: $said"

# ---- the others ----
recipe ansible
for app in gw-01 gw-02; do
    assert_pair "${ROOT}root/bundles/$app.pem" "${ROOT}root/bundles/$app.pem"
done
assert_eq "$(field "${ROOT}run/certfs/projects/plant-8/signing_ca/status" state)" ACTIVE "the project that Ansible made"
assert_has "$(cat "${ROOT}run/certfs/projects/plant-8/policy")" '^validity_days = 90$' "its policy"

recipe eve
python3 - "$P/apps/vm-01" <<'PYTHON'
import base64, pathlib, sys
import yaml
app = pathlib.Path(sys.argv[1])
data = yaml.safe_load((app / "user_data").read_text())
files = {entry["path"]: entry for entry in data["write_files"]}
sent = base64.b64decode(files["/run/iotedge-setup/device_ca.pem"]["content"])
assert sent == (app / "device_ca.pem").read_bytes(), "the certificate in the user data"
assert "vm-01.plant-7.example" in files["/run/iotedge-setup/config.toml"]["content"]
PYTHON
assert_eq "$(field "$P/apps/vm-01/purge" counter)" 1 "purge of vm-01"

recipe nginx
serial_served() {
    machine openssl s_client -connect localhost:8443 </dev/null 2>/dev/null | openssl x509 -noout -serial | sed 's/.*=//'
}
renewed_is_served() { [ "$(serial_served)" = "$(serial "$P/apps/gw-01/device_ca.pem")" ]; }
wait_until 30 renewed_is_served

recipe make

# ---- node_exporter, really; and what it says of what is not there any more ----
machine rm -rf /var/lib/prometheus/node-exporter
machine mkdir -p /var/lib/prometheus/node-exporter
machine prometheus-node-exporter --web.listen-address=127.0.0.1:9100 --collector.disable-defaults --collector.textfile \
    --collector.textfile.directory=/var/lib/prometheus/node-exporter >"$T/exporter.log" 2>&1 &
exporter_answers() { machine curl -so /dev/null localhost:9100/metrics; }
wait_until 20 exporter_answers
machine mkdir -p /usr/share/certfs
machine cp "$SOURCE/conf/alerts.yml" /usr/share/certfs/
recipe prometheus
assert_eq "$(cd "${ROOT}var/lib/prometheus/node-exporter" && echo *)" certfs.prom "the collector's directory"
# the crontab's line does the same
rm "${ROOT}var/lib/prometheus/node-exporter/certfs.prom"
machine sh -c "$(sed -n 's/^\* \* \* \* \* root //p' "${ROOT}etc/cron.d/certfs-metrics")"
machine promtool check metrics <"${ROOT}var/lib/prometheus/node-exporter/certfs.prom" || fail "promtool refuses what cron has copied"
said=$(machine systemd-analyze verify certfs-metrics.service certfs-metrics.timer 2>&1) || fail "systemd-analyze verify: $said"

# ---- backup: what was issued is there after the store was lost, and only so many copies are kept ----
served=$(serial "$P/apps/gw-01/device_ca.pem")
recipe backup
assert_eq "$(serial "$P/apps/gw-01/device_ca.pem")" "$served" "certificate of gw-01 after the store was restored"
said=$(machine systemd-analyze verify certfs-backup.service certfs-backup.timer 2>&1) || fail "systemd-analyze verify: $said"
for day in $(seq 10 30); do
    touch "${ROOT}var/backups/certfs/certfs-202501${day}T000000Z.db"
done
machine certfs-backup >"$T/backup.out"
assert_eq "$(find "${ROOT}var/backups/certfs" -type f | wc -l)" 14 "backups that are kept"
newest=$(find "${ROOT}var/backups/certfs" -type f | sort | tail -n 1)
[ -s "$newest" ] || fail "the newest is not among them"
# a master key that is another one's: nothing counts, nothing is left
mv "${ROOT}var/lib/certfs/master.key" "$T/master.key"
head -c 32 /dev/urandom >"${ROOT}var/lib/certfs/master.key"
chmod 600 "${ROOT}var/lib/certfs/master.key"
sleep 1 # names are by the second
machine certfs-backup >"$T/backup.out" 2>&1 && fail "a backup that nobody can open counted: $(cat "$T/backup.out")"
assert_eq "$(find "${ROOT}var/backups/certfs" -type f | sort | tail -n 1)" "$newest" "the newest backup"
mv "$T/master.key" "${ROOT}var/lib/certfs/master.key"
assert_eq "$(field "$P/apps/gw-01/status" state)" VALID "state of gw-01 after the store came back"
before=$(cat "$P/apps/gw-01/renew" "$P/update")
machine tar -C /run/certfs/projects -xf /root/plant-7.tar --overwrite 2>/dev/null || true
assert_eq "$(cat "$P/apps/gw-01/renew" "$P/update")" "$before" "triggers after tar x over the tree"
