#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# On a machine with a CUDA GPU, a network or none: the tests that need one, and the benches of
# networks for 1, 8 and 32 frames at once. Ends with a summary; takes three to four minutes on one
# H100, and what is not done by then is stopped after eight. See docs/gpu.md.
#
#   tools/gpu_check.sh [FOLDER]     results go to FOLDER, by default out/gpu
#
# PYTHON: the interpreter that holds torch. WHEELS: a folder of wheels to install beside what it
# holds. DEVICE, BATCHES, REPEATS, OPTIONS of benches: to rehearse on a processor.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
out=${1:-out/gpu} python=${PYTHON:-python3} device=${DEVICE:-cuda}
export PYTHONPATH=$PWD${PYTHONPATH:+:$PYTHONPATH} PYTHONUNBUFFERED=1
mkdir -p "$out"
rm -f "$out"/*.json "$out/benches.txt"
status=0

if [ -n "${WHEELS:-}" ]; then
    site=$(mktemp -d)
    "$python" -m pip install -q --no-index --no-deps --no-compile --target "$site" "$WHEELS"/*.whl || exit
    export PYTHONPATH=$PYTHONPATH:$site
fi
"$python" - <<'ABOUT' || exit
import platform, torch
name = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
print(f"Python {platform.python_version()}, torch {torch.__version__}, {name}")
ABOUT

# Only files that hold such tests: the others may import what is not here, as ROS.
mapfile -t files < <(grep -rl --include='test_*.py' 'mark\.cuda' test)
timeout 240 "$python" -m pytest -q -rs -m cuda -p no:cacheprovider "${files[@]}" 2>&1 |
    tee "$out/pytest.txt" || status=1

for name in segmenter perception gesco sqgan; do
    timeout $((SECONDS < 465 ? 470 - SECONDS : 5)) "$python" -m semcom_ros.cli bench "$name" --device "$device" \
        --batch ${BATCHES:-1 8 32} --repeats "${REPEATS:-15}" ${OPTIONS---paper} \
        --json "$out/$name.json" >>"$out/benches.txt" 2>&1 ||
        { status=1; echo "bench $name failed:"; tail -n 5 "$out/benches.txt"; }
done

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
