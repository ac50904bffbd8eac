#!/usr/bin/env bash
# The tests that need a CUDA device, then the tables of speed and memory: some six minutes on one
# H100 or H200, without network. Torch, Triton, pytest, pytest-xdist and a C compiler have to be
# there. Logs, tables and gpu.json go into the folder that is given, or out/.
#
#     benchmarks/gpu.sh [FOLDER [tests|tables]]
set -uo pipefail
case ${1:-} in -*)
    sed -n '2,/^set/{/^set/!s/^#[ ]\{0,1\}//p}' "$0"
    exit 2
    ;;
esac
cd "$(dirname "$0")/.."
out=${1:-out} part=${2:-all} failed=0
mkdir -p "$out"
export PYTHONPATH=$PWD PYTHONUNBUFFERED=1
python=$(command -v python3 || command -v python)
$python setup.py -q build_ext --inplace || failed=1

if [ "$part" != tables ]; then
    # of other versions than the pinned ones warnings are no errors
    timeout 130 $python -m pytest -q -p no:cacheprovider -W default -n auto --maxfail 200 \
        -k "not interpreted and not without_gpu" tests/unroll/test_triton.py tests/gpu \
        >"$out/gpu_tests.log" 2>&1 || failed=1
    grep -E "^(FAILED|ERROR|E  )| passed| failed" "$out/gpu_tests.log" | cut -c1-150 | sort |
        uniq -c | sort -rn | head -60
fi
if [ "$part" != tests ]; then
    timeout 60 $python benchmarks/any_net.py --device cuda --rounds 5 | tee "$out/any_net.txt" || failed=1
    timeout 45 $python benchmarks/own_neurons.py --device cuda --rounds 5 | tee "$out/own.txt" || failed=1
    timeout 40 $python benchmarks/memory.py --device cuda --size 96 | tee "$out/memory.txt" || failed=1
    timeout 120 $python benchmarks/gpu.py --json "$out/gpu.json" | tee "$out/gpu.txt" || failed=1
fi
exit "$failed"
