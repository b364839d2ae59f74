#!/bin/sh
# Installs the Debian packages of the servers that the tests start, if they are missing.
#
# The tests start these servers themselves, on free ports: the packages' own services must not take the
# standard ones. Therefore policy-rc.d forbids starting services while apt runs, and is put back afterwards,
# also after a failure.
set -eu

PACKAGES="clickhouse-server clickhouse-client zookeeper prometheus prometheus-alertmanager prometheus-sql-exporter"
PACKAGES="$PACKAGES postgresql chromium"
# What the packages install as services.
SERVICES="clickhouse-server zookeeper prometheus prometheus-alertmanager prometheus-sql-exporter postgresql"
POLICY=/usr/sbin/policy-rc.d
POLICY_BACKUP=/usr/sbin/policy-rc.d.before-clustersight

say() { printf '%s\n' "install-servers: $*"; }
fail() {
    printf '%s\n' "install-servers: $*" >&2
    exit 1
}

is_installed() {
    [ "$(dpkg-query -W -f '${db:Status-Abbrev}' "$1" 2>/dev/null | cut -c1-2)" = "ii" ]
}

missing_packages() {
    for package in $PACKAGES; do
        is_installed "$package" || printf '%s ' "$package"
    done
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    else
        sudo "$@"
    fi
}

check_tools() {
    command -v apt-get >/dev/null 2>&1 || fail "there is no apt-get here. The tests with real servers need" \
        "Debian 12. Install by other means:" "$PACKAGES." "Without them these tests are skipped (with CI set: fail)."
    [ "$(id -u)" -eq 0 ] || command -v sudo >/dev/null 2>&1 ||
        fail "not root, and there is no sudo. As root run: sh $0"
}

forbid_services() {
    # A backup that is already there is that of a run that was killed: the policy is then this script's own.
    if [ -e "$POLICY" ] && [ ! -e "$POLICY_BACKUP" ] && ! grep -q "ClusterSight" "$POLICY"; then
        as_root mv "$POLICY" "$POLICY_BACKUP"
    fi
    # 101: the action is not allowed.
    printf '%s\n' '#!/bin/sh' '# ClusterSight: no services while its test servers are installed' 'exit 101' |
        as_root tee "$POLICY" >/dev/null
    as_root chmod 755 "$POLICY"
}

restore_services() {
    if [ -e "$POLICY_BACKUP" ]; then
        as_root mv -f "$POLICY_BACKUP" "$POLICY"
    elif [ -e "$POLICY" ] && grep -q "ClusterSight" "$POLICY"; then
        as_root rm -f "$POLICY"
    fi
}

disable_services() {
    # policy-rc.d holds only for now; without this they would start at the next boot. Only those that this
    # run installed: a server that somebody uses here stays as it is.
    [ -d /run/systemd/system ] || return 0
    for service in $SERVICES; do
        case " $1 " in
            *" $service "*) as_root systemctl disable --now "$service" >/dev/null 2>&1 || true ;;
        esac
    done
}

update_lists() {
    say "reading the package lists"
    as_root apt-get -q -o Acquire::Retries=3 update ||
        fail "apt-get update failed. Is there a network, and does it need a proxy (Acquire::http::Proxy in" \
            "/etc/apt/apt.conf.d)? Then run this again."
}

install_packages() {
    say "installing $1"
    # The list is words on purpose.
    # shellcheck disable=SC2086
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o Acquire::Retries=3 \
        install --no-install-recommends $1 ||
        fail "apt-get install failed; its last lines say why. clickhouse-server is in Debian 12 (bookworm)" \
            "for amd64; on other systems install $1 by other means."
}

restore_leftover() {
    if [ -e "$POLICY_BACKUP" ] || { [ -e "$POLICY" ] && grep -q "ClusterSight" "$POLICY"; }; then
        say "an earlier run was killed: putting policy-rc.d back"
        restore_services
    fi
}

restore_leftover
missing=$(missing_packages)
if [ -z "$missing" ]; then
    say "all there: $PACKAGES"
    exit 0
fi
check_tools
trap restore_services EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
forbid_services
update_lists
install_packages "$missing"
disable_services "$missing"
say "done: $missing"
