# What the demo runs on, and how all of it goes away again.

work=
plane=
replicas=()
replica=0
metrics_address=
simulated=true
installed=false

# A folder of its own: binaries, logs, kubeconfigs. Commands are found there first.
prepare_folder() {
    work=$(mktemp -d "${TMPDIR:-/tmp}/assize-demo.XXXXXX")
    mkdir "$work/bin"
    PATH=$work/bin:$PATH
    # kubectl remembers what a server knows; not beyond this run.
    export KUBECACHEDIR=$work/cache
    trap clean_up EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
}

clean_up() {
    local code=$?
    trap - EXIT
    trap '' INT TERM HUP
    if [ ${#replicas[@]} -gt 0 ]; then
        kill -TERM "${replicas[@]}" 2>/dev/null || true
        wait "${replicas[@]}" 2>/dev/null || true
    fi
    if $installed && ! $simulated; then remove_from_cluster || code=1; fi
    if [ -n "$plane" ]; then
        kill -INT "$plane" 2>/dev/null || true
        wait "$plane" 2>/dev/null || true
    fi
    if [ "$code" -ne 0 ] && [ "$code" -ne 130 ] && [ "$replica" -gt 0 ]; then
        say "The last lines of the operator's log:"
        tail -n 20 "$work/replica-$replica.log"
    fi >&2
    rm -rf "$work"
    exit "$code"
}

# Copies, because another build may replace what cargo made while the demo runs.
build_binaries() {
    local target
    say "demo: building the operator"
    cargo build --locked --bin assize
    target=$(cargo metadata --locked --no-deps --format-version 1 | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')
    cp "$target/debug/assize" "$work/bin/assize"
    if [ -z "${DEMO_KUBECONFIG:-}" ]; then
        # With KUBEBUILDER_ASSETS only what is not there gets built, at the start.
        if [ -z "${KUBEBUILDER_ASSETS:-}" ]; then tests/controlplane/build; fi
        cargo build --locked --package assize-testkit --bin controlplane
        cp "$target/debug/controlplane" "$work/bin/controlplane"
    fi
}

start_control_plane() {
    local started=$SECONDS
    "$work/bin/controlplane" --nodes 3 >"$work/plane.out" 2>"$work/plane.log" &
    plane=$!
    until grep -q '^export KUBECONFIG=' "$work/plane.out"; do
        kill -0 "$plane" 2>/dev/null || fail "the control plane did not start: $(cat "$work/plane.log")"
        sleep 0.2
    done
    KUBECONFIG=$(sed -n 's/^export KUBECONFIG=//p' "$work/plane.out")
    export KUBECONFIG
    # The kubectl of the same release, which the control plane brings along.
    ln -s "$(sed -n 's/^# kubectl: *//p' "$work/plane.out")" "$work/bin/kubectl"
    say "demo: a control plane with 3 simulated nodes, ready after $((SECONDS - started)) s"
}

use_cluster() {
    [ -r "$1" ] || fail "DEMO_KUBECONFIG: cannot read $1"
    simulated=false
    export KUBECONFIG=$1
    if ! command -v kubectl >/dev/null; then
        ln -s "$(tests/controlplane/build --print-dir kubectl)/kubectl" "$work/bin/kubectl"
    fi
    kubectl get --raw /readyz >/dev/null || fail "DEMO_KUBECONFIG: the API server does not answer"
    local object
    for object in crd/services.assize.dev crd/servicelevelagreements.assize.dev crd/servicereports.assize.dev \
        crd/servicecalendars.assize.dev namespace/shop namespace/assize-demo clusterrole/assize \
        clusterrolebinding/assize-demo; do
        if [ -n "$(kubectl get "$object" --ignore-not-found -o name)" ]; then
            fail "$object exists in this cluster already; the demo touches nothing that is not its own. Use another cluster"
        fi
    done
    say "demo: using $(kubectl config view --minify -o "jsonpath={.clusters[0].cluster.server}")"
}

# Only what install_rights and the story made; use_cluster has seen that none of it was there before.
remove_from_cluster() {
    say "demo: removing the namespaces shop and assize-demo, the definitions and the cluster roles"
    kubectl delete -f crds/ --ignore-not-found --wait >/dev/null
    kubectl delete namespace shop assize-demo --ignore-not-found --wait >/dev/null
    kubectl delete clusterrolebinding assize-demo --ignore-not-found >/dev/null
    kubectl delete role,rolebinding assize -n kube-node-lease --ignore-not-found >/dev/null
    kubectl delete clusterrole assize --ignore-not-found >/dev/null
}

# The rights of the chart, from its own files, for a service account as in a cluster.
install_rights() {
    show kubectl create namespace assize-demo
    show kubectl create serviceaccount assize -n assize-demo
    show kubectl apply -f charts/assize/files/clusterrole.yaml
    show kubectl apply -n assize-demo -f charts/assize/files/role.yaml
    show kubectl create clusterrolebinding assize-demo --clusterrole=assize --serviceaccount=assize-demo:assize
    show kubectl create rolebinding assize -n assize-demo --role=assize --serviceaccount=assize-demo:assize
    show kubectl apply -f charts/assize/files/nodeleases.yaml
    show kubectl create rolebinding assize -n kube-node-lease --role=assize --serviceaccount=assize-demo:assize
    # A kubeconfig with the account's token instead of the administrator's credentials.
    local token
    token=$(kubectl create token assize -n assize-demo --duration=2h)
    kubectl config view --raw --minify --flatten >"$work/operator.kubeconfig"
    local account=(kubectl --kubeconfig "$work/operator.kubeconfig" config)
    "${account[@]}" set-credentials assize --token="$token" >/dev/null
    "${account[@]}" set-context --current --user=assize >/dev/null
    local administrator
    for administrator in $(kubectl config view --minify -o "jsonpath={.users[*].name}"); do
        if [ "$administrator" != assize ]; then "${account[@]}" delete-user "$administrator" >/dev/null; fi
    done
}

# Runs one more replica as a process, with a log of its own, at a port that the system chooses.
start_replica() {
    replica=$((replica + 1))
    local name=replica-$replica
    printf '\n%s$ %s%s\n' "$bold" "assize run --namespace assize-demo --identity $name &" "$plain"
    KUBECONFIG=$work/operator.kubeconfig "$work/bin/assize" run --namespace assize-demo --identity "$name" \
        --metrics-address 127.0.0.1:0 >"$work/$name.log" 2>&1 &
    replicas+=("$!")
    await_log started
    metrics_address=$(sed -n 's/.*address=\(127\.0\.0\.1:[0-9]*\).*/\1/p' "$work/$name.log" | head -n 1)
}

# Waits until the replica that was started last leads.
await_leader() { await_log leading; }

# await_log WORD: waits until the log of the replica that was started last has the word.
await_log() {
    local started=$SECONDS
    until grep -q "$1" "$work/replica-$replica.log"; do
        kill -0 "${replicas[-1]}" 2>/dev/null || fail "the operator ended: $(tail -n 5 "$work/replica-$replica.log")"
        if [ $((SECONDS - started)) -ge 60 ]; then fail "the operator is not $1 after 60 s"; fi
        sleep 0.2
    done
    say "replica-$replica: $1 (after $((SECONDS - started)) s)"
}

# Kills the replica that has been running longest.
kill_replica() {
    local victim=${replicas[0]}
    printf '\n%s$ kill -9 %s%s\n' "$bold" "$victim" "$plain"
    kill -9 "$victim"
    wait "$victim" 2>/dev/null || true
    replicas=("${replicas[@]:1}")
}

# What the API server refused the operator's account, from the audit log.
refused_requests() {
    local log
    log=$(sed -n 's/^# audit log: *//p' "$work/plane.out")
    grep '"username":"system:serviceaccount:assize-demo:assize"' "$log" |
        grep '"authorization.k8s.io/decision":"forbid"' | head -n 3 || true
}

finish() {
    printf '\n%sThe demo ran for %d s, and everything was as it says.%s\n' "$green" $((SECONDS - story_started)) "$plain"
    if [ -z "${KEEP:-}" ]; then return; fi
    say "Everything keeps running until Ctrl-C. In another terminal:"
    say "  export KUBECONFIG=$KUBECONFIG"
    say "  export PATH=$work/bin:\$PATH    # kubectl and assize"
    say "  curl http://$metrics_address/metrics"
    wait "${replicas[@]}"
}
