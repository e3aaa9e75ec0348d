#!/usr/bin/env bash
# The latency of every network of the table, one image of 64 x 64, one thread of this CPU.
set -euo pipefail
cd "$(dirname "$0")/../.."
networks=(mobilenext_0.5,num_classes=10 mobilenet_v2_0.52,num_classes=10)
mkdir -p runs/chain_small # under short names
for file in experiments/chain_small/search/*/network.json; do
    run=$(basename "$(dirname "$file")")
    name=${run%%-*} name=${name/_chain_64/}
    case $run in *random*) name+=_random ;; *) name+=_searched ;; esac
    cp "$file" "runs/chain_small/${name}_${run: -1}.json"
    networks+=("runs/chain_small/${name}_${run: -1}.json,num_classes=10")
done
"${PYTHON:-python}" -m nas benchmark "${networks[@]}" \
    --image_size 64 --engines onnx_fp32,onnx_int8 --calls 400 --out experiments/chain_small "$@"
