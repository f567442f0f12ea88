#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# On a machine with a CUDA GPU, a network or none: the papers' networks timed, the tests that need a
# GPU, and the benches of the networks that ship, for 1, 8 and 32 frames at once. Ends with a
# summary of what was done by then. See docs/gpu.md.
#
#   tools/gpu_check.sh [FOLDER]     results go to FOLDER, by default out/gpu
#
# LIMIT: seconds that all of it may take, by default 480. PYTHON: the interpreter that holds torch.
# WHEELS: a folder of wheels to install beside what it holds. DEVICE, BATCHES, REPEATS, OPTIONS of
# benches: to rehearse on a processor.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
out=${1:-out/gpu} python=${PYTHON:-python3} device=${DEVICE:-cuda} limit=${LIMIT:-480}
export PYTHONPATH=$PWD${PYTHONPATH:+:$PYTHONPATH} PYTHONUNBUFFERED=1
mkdir -p "$out"
rm -f "$out"/*.json "$out"/*.txt
status=0

# Seconds until so many per cent of the limit are over, five at least.
until_part() { echo $((limit * $1 / 100 > SECONDS + 5 ? limit * $1 / 100 - SECONDS : 5)); }
has() { "$python" -c "import importlib.util, sys; sys.exit(not importlib.util.find_spec('$1'))"; }
told() { echo "== $1, after $SECONDS s"; }

if [ -n "${WHEELS:-}" ]; then
    site=$(mktemp -d)
    "$python" -m pip install -q --no-index --no-deps --no-compile --target "$site" "$WHEELS"/*.whl || exit
    export PYTHONPATH=$PYTHONPATH:$site
fi
"$python" -c 'import platform as p, importlib.metadata as m
print("Python", p.python_version() + ", torch", m.version("torch"))' || exit
nvidia-smi --query-gpu=name,driver_version --format=csv,noheader 2>/dev/null
pictures=$(has av || echo "--gesco-picture thumbnail")

# On other cores meanwhile: numba compiles what tests and benches run.
compiling=()
if [ "$device" != cpu ]; then
    for name in gesco sqgan; do
        "$python" -m semcom_ros.cli bench "$name" --threads 1 --repeats 1 \
            $([ "$name" = gesco ] && echo "$pictures") >/dev/null 2>&1 &
        compiling+=($!)
    done
fi

told "the papers' networks"
timeout -s INT -k 5 "$(until_part 45)" "$python" -m semcom_ros.cli bench papers --device "$device" \
    --eager --batch ${PAPER_BATCHES:-1 8} --repeats 3 --json "$out/papers.json" >>"$out/benches.txt" 2>&1 ||
    { status=1; echo "bench papers stopped:"; tail -n 5 "$out/benches.txt"; }

told "tests"
# Only files that hold such tests: the others may import what is not here, as ROS.
mapfile -t files < <(grep -rl --include='test_*.py' 'mark\.cuda' test | sort)
many=$(has xdist && echo "-n ${WORKERS:-16} --dist worksteal")
OMP_NUM_THREADS=1 timeout -s INT -k 5 "$(until_part 78)" "$python" -m pytest -v -rs -m cuda --tb=short \
    -p no:cacheprovider --durations=8 --timeout $(($(until_part 78) > 10 ? $(until_part 78) - 5 : 5)) \
    $many "${files[@]}" 2>&1 | tee "$out/pytest.txt" || status=1
[ ${#compiling[@]} = 0 ] || kill "${compiling[@]}" 2>/dev/null

told "benches"
# All in one process: to import takes longer than to measure. Each has its part of what is left.
"$python" - "$out" "$(until_part 97)" "$pictures" --device "$device" --batch ${BATCHES:-1 8 32} \
    --repeats "${REPEATS:-15}" ${OPTIONS-} >>"$out/benches.txt" 2>&1 <<'BENCHES' || status=1
import signal, sys, time, traceback
begun = time.monotonic()
from semcom_ros.cli import main

out, seconds, pictures, *options = sys.argv[1:]
parts, failed = {"gesco": 4, "sqgan": 3, "gsc": 3, "perception": 2, "segmenter": 1}, []

def stop(*_):
    raise KeyboardInterrupt

signal.signal(signal.SIGALRM, stop)
while parts:
    left = float(seconds) - (time.monotonic() - begun)
    name, whole = next(iter(parts)), sum(parts.values())
    # Again and again: what is called back from C loses an exception.
    signal.setitimer(signal.ITIMER_REAL, max(1, left * parts.pop(name) / whole), 2)
    try:
        words = [*options, *(pictures.split() if name == "gesco" else ())]
        ended = main(["bench", name, *words, "--json", f"{out}/{name}.json"])
    except (Exception, KeyboardInterrupt):
        traceback.print_exc()
        ended = 1
    signal.setitimer(signal.ITIMER_REAL, 0)
    if ended:
        failed.append(name)
        print(f"bench {name} {'ran out of its time' if ended == 130 else 'failed'}", flush=True)
sys.exit(bool(failed))
BENCHES
grep -E '^bench |Error' "$out/benches.txt"

told "summary"
"$python" - "$out" <<'SUMMARY' | tee "$out/summary.txt"
import json, pathlib, sys

print(f"{'bench':12}{'step':22}{'frames':>8}{'median ms':>11}{'p99 ms':>9}{'ms a frame':>12}")
for path in sorted(pathlib.Path(sys.argv[1]).glob("*.json")):
    found = json.loads(path.read_text())
    for run in (found, *(value for name, value in found.items() if name.startswith("batch_"))):
        for step, times in run.items():
            if step.endswith("_ms") and isinstance(times, dict):
                median, n = times["median"], run["batch"]
                row = f"{path.stem:12}{step:22}{n:8}{median:11.2f}{times['p99']:9.2f}"
                print(f"{row}{median / n:12.2f}")
SUMMARY
tail -n 1 "$out/pytest.txt"
exit $status
