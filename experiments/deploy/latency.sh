#!/usr/bin/env bash
# Table 7 here: MobileNeXt 1.0 by identity tensor multiplier, and MobileNetV2, in every engine.
set -euo pipefail
cd "$(dirname "$0")/../.."
"${PYTHON:-python}" -m nas benchmark \
    mobilenext_1.0 mobilenext_1.0,identity_ratio={1/2,1/3,1/6} mobilenet_v2_1.0 \
    --threads 1,2 --calls 200 --out experiments/deploy "$@"
# What any form of the shortcut could save at most: everything that it costs.
"${PYTHON:-python}" -m nas benchmark \
    mobilenext_1.0 mobilenext_1.0,identity_ratio={1/6,0} \
    --engines onnx_fp32,onnx_int8 --threads 1,2 --calls 400 --out experiments/deploy/bound "$@"
