# How the demo talks: headings, commands as typed with their real output, and checks of what it says.

if [ -t 1 ]; then bold=$'\e[1m' green=$'\e[32m' red=$'\e[31m' plain=$'\e[0m'; else bold='' green='' red='' plain=''; fi
step=0
story_started=

heading() {
    step=$((step + 1))
    story_started=${story_started:-$SECONDS}
    printf '\n%s== %d. %s%s\n' "$bold" "$step" "$1" "$plain"
}

say() { printf '%s\n' "$*"; }

fail() {
    printf '%sdemo: %s%s\n' "$red" "$*" "$plain" >&2
    exit 1
}

need() { command -v "$1" >/dev/null || fail "$1 is not there: $2"; }

# Prints a command as one would type it, then runs it. Words in quotes inside the arguments are the shell's.
show() {
    printf '\n%s$ %s%s\n' "$bold" "$*" "$plain"
    eval "$*" || fail "the command failed: $*"
}

# expect TEXT SECONDS WANTED COMMAND...: the command prints WANTED within so many seconds.
expect() {
    local text=$1 limit=$2 wanted=$3 started=$SECONDS found=
    shift 3
    while true; do
        found=$("$@" 2>&1) || true
        if [ "$found" = "$wanted" ]; then break; fi
        if [ $((SECONDS - started)) -ge "$limit" ]; then
            fail "not so within $limit s: $text. Wanted '$wanted', found '$found'"
        fi
        sleep 0.2
    done
    printf '%s✓ %s%s (within %d s)\n' "$green" "$text" "$plain" $((SECONDS - started + 1))
}

# expect_some TEXT COMMAND...: the command prints something within 30 s.
expect_some() {
    local text=$1 started=$SECONDS
    shift
    until [ -n "$("$@" 2>/dev/null || true)" ]; do
        if [ $((SECONDS - started)) -ge 30 ]; then fail "not so within 30 s: $text"; fi
        sleep 0.2
    done
    printf '%s✓ %s%s\n' "$green" "$text" "$plain"
}

# expect_none TEXT COMMAND...: the command prints nothing.
expect_none() {
    local text=$1 found
    shift
    found=$("$@")
    if [ -n "$found" ]; then fail "not so: $text. Found: $found"; fi
    printf '%s✓ %s%s\n' "$green" "$text" "$plain"
}

state_of() { kubectl get its "$1" -n shop -o "jsonpath={.status.availability.state}"; }

state_and_reason_of() {
    kubectl get its "$1" -n shop \
        -o "jsonpath={.status.availability.state} {.status.conditions[?(@.type=='Available')].reason}"
}

# Milliseconds without observation in the report of checkout-gold, one number a gap.
gaps() { kubectl get srep "$report" -n shop -o "jsonpath={.status.gaps[*].unknownMs}"; }

# unknown_below MS: whether the gaps of the report are shorter than that in all.
unknown_below() { gaps | tr ' ' '\n' | awk -v most="$1" '{ sum += $1 } END { print (sum < most ? "yes" : sum " ms") }'; }

# The lowest and the highest availability of checkout-gold, where they differ.
bounds() {
    curl -s "http://$metrics_address/metrics" |
        sed -n 's/^assize_agreement_\(lowest\|highest\)_ratio{.*"checkout-gold",target="availability"} //p' | uniq -u
}

# Whether the Lease says that observation is proved beyond an instant.
proved_since() {
    local until
    until=$(kubectl get lease assize -n assize-demo -o "jsonpath={.metadata.annotations.assize\.dev/observed-until}")
    if [[ $until > $1 ]]; then echo yes; else echo "proved until '$until'"; fi
}

# changed BEFORE COMMAND...: whether the command prints something else now.
changed() {
    local before=$1
    shift
    if [ "$("$@")" != "$before" ]; then echo yes; else echo no; fi
}
