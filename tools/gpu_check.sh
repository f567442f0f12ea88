#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# On a machine with a CUDA GPU, a network or none: benches of the papers' networks and of those that
# ship, for 1, 8 and 32 frames at once, of an RSU with many vehicles, then the tests that need a GPU.
# Ends with a summary, and with status 1 where anything failed or was cut off. See docs/gpu.md.
#
#   tools/gpu_check.sh [FOLDER]     results go to FOLDER, by default out/gpu
#
# LIMIT: seconds that all of it may take, by default 480. PYTHON: the interpreter that holds torch.
# WHEELS: a folder of wheels to install beside what it holds. DEVICE, BATCHES, PAPER_BATCHES, REPEATS,
# OPTIONS and VEHICLES of benches, WORKERS of tests: also to rehearse on a processor.
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

# Numba compiles what benches and tests run, before anything is timed.
if [ "$device" != cpu ]; then
    told "numba"
    for name in gesco sqgan; do
        timeout "$(until_part 30)" "$python" -m semcom_ros.cli bench "$name" --threads 1 --repeats 1 \
            $([ "$name" = gesco ] && echo "$pictures") >/dev/null 2>&1 &
    done
    wait
fi

told "benches"
# All by forks of one process that has imported what they need, and no GPU: to import takes longer
# than to measure, and one that is cut off leaves the next as it was. What needs numba comes last.
PYTORCH_NVML_BASED_CUDA_CHECK=1 "$python" - "$out" "$(until_part 50)" "$device" "$pictures" \
    "${PAPER_BATCHES:-1}" "${VEHICLES:-16,50}" \
    --batch ${BATCHES:-1 8 32} --repeats "${REPEATS:-15}" ${OPTIONS-} >>"$out/benches.txt" 2>&1 <<'BENCHES' || status=1
import multiprocessing, sys, time
begun = time.monotonic()
from semcom_ros.cli import main
import semcom_ros.lab.evaluation.bench

out, seconds, device, pictures, batches, vehicles, *options = sys.argv[1:]
parts = {"papers": 5, "segmenter": 2, "perception": 2, "gsc": 3, "sqgan": 4, "gesco": 5, "rsu": 5}
told, failed = {name: options for name in parts}, False
told["papers"] = ["--eager", "--repeats", "3", "--batch", *batches.split()]
told["gesco"] = [*options, *pictures.split()]
told["rsu"] = ["--vehicles", vehicles, "--seconds", "4", *pictures.split()]

while parts:
    left = float(seconds) - (time.monotonic() - begun)
    name, whole = next(iter(parts)), sum(parts.values())
    share = max(1, left * parts.pop(name) / whole)
    words = ["bench", name, "--device", device, *told[name], "--json", f"{out}/{name}.json"]
    bench = multiprocessing.get_context("fork").Process(target=lambda: sys.exit(main(words)))
    bench.start()
    bench.join(share)
    ended = bench.exitcode
    bench.kill()
    bench.join()
    took = time.monotonic() - begun - float(seconds) + left
    how = {None: "was cut off", 0: "was done"}.get(ended, "failed")
    print(f"bench {name} {how} after {took:.0f} s", flush=True)
    failed |= ended != 0
sys.exit(failed)
BENCHES
grep -E '^bench |Error' "$out/benches.txt"

told "tests"
# Only files that hold such tests: the others may import what is not here, as ROS. Every line begins
# with the second at which it came.
mapfile -t files < <(grep -rl --include='test_*.py' 'mark\.cuda' test | sort)
many=$(has xdist && echo "-n ${WORKERS:-10} --dist worksteal")
OMP_NUM_THREADS=1 TORCHINDUCTOR_COMPILE_THREADS=3 timeout -s INT -k 5 "$(until_part 97)" \
    "$python" -W ignore -m pytest -v -rs -m cuda --tb=short -p no:cacheprovider \
    --timeout "$(until_part 90)" $many "${files[@]}" 2>&1 |
    while IFS= read -r line || [ -n "$line" ]; do echo "$SECONDS $line"; done |
    tee "$out/pytest.txt" || status=1

told "summary"
"$python" - "$out" <<'SUMMARY' | tee "$out/summary.txt"
import collections, json, pathlib, re, sys

out = pathlib.Path(sys.argv[1])
print(f"{'bench':12}{'step':22}{'frames':>8}{'median ms':>11}{'p99 ms':>9}{'ms a frame':>12}")
for path in sorted(out.glob("*.json")):
    found = json.loads(path.read_text())
    if path.stem == "rsu":
        continue
    for run in (found, *(value for name, value in found.items() if name.startswith("batch_"))):
        for step, times in run.items():
            if step.endswith("_ms") and isinstance(times, dict):
                median, n = times["median"], run["batch"]
                row = f"{path.stem:12}{step:22}{n:8}{median:11.2f}{times['p99']:9.2f}"
                print(f"{row}{median / n:12.2f}")
if (crowd := out / "rsu.json").is_file():
    for run in json.loads(crowd.read_text()):
        label, image = (run[of]["p99"] for of in ("label_ms", "image_ms"))
        print(f"rsu, {run['vehicles']} vehicles: {run['in_time']} of {run['received']} images in time,",
              f"p99 {label} ms of labels, {image} ms of images, Jain {run['jain']:.3f}")

begun, ended, most = {}, {}, "?"
for line in (out / "pytest.txt").read_text().splitlines():
    most = next(iter(re.findall(r"(\d+) items?\b", line)), most) if most == "?" else most
    if test := re.match(r"(\d+) .*?(test/\S+::\S+)", line):
        second, name = int(test[1]), test[2]
        begun.setdefault(name, second)
        if how := re.search(r"\b(PASSED|FAILED|ERROR|SKIPPED)\b", line):
            ended.setdefault(name, (how[1].lower(), second - begun[name]))
counts = collections.Counter(how for how, _ in ended.values())
print(f"of {most} tests", ", ".join(f"{n} {how}" for how, n in counts.items()) or "none ended")
for name in sorted(ended, key=lambda name: -ended[name][1])[:8]:
    print(f"{ended[name][1]:4} s {name}")
for name in begun:
    if (how := ended.get(name, ("cut off",))[0]) not in ("passed", "skipped"):
        print(f"{how} {name}")
SUMMARY
told "done"
exit $status
