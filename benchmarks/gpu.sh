#!/usr/bin/env bash
# The tests that need a CUDA device, then the table of speeds: at most six minutes on one H100 or
# H200, without network. Torch and Triton have to be there. Writes gpu.json and the tests' log into
# the folder that is given, or out/.
set -uo pipefail
cd "$(dirname "$0")/.."
out=${1:-out}
mkdir -p "$out"
export PYTHONPATH=$PWD
timeout 150 python -m pytest -q -p no:cacheprovider tests/gpu tests/unroll/test_triton.py \
    2>&1 | tee "$out/gpu_tests.log"
tests=${PIPESTATUS[0]}
timeout 200 python benchmarks/gpu.py --json "$out/gpu.json" || exit 1
exit "$tests"
