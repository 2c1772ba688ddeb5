#!/usr/bin/env bash
# The detection model that comes with the package, from its data to its folder. In the
# environment in which the package is installed:
#
#   infra/models/galaxy_zoo_detect.sh DATA WORK
#
# DATA holds galaxy_zoo_2, galaxy_zoo_2_clean (each a catalog.csv: object_id, image,
# label) and sdss_frames (frames.csv: frame_id, image, field). WORK keeps all that is
# made; the same command goes on where it was. About an hour on two cores. More stamps
# and epochs: the numbers at the top of detection_catalog.py, and those below.
set -euo pipefail

if [ "$#" -ne 2 ]; then
    echo "usage: $0 DATA WORK" >&2
    exit 2
fi
here=$(realpath "$(dirname "$0")") data=$(realpath "$1")
mkdir -p "$2"
cd "$2"

trained() { [ -e "$1/model.json" ]; }

trained narrow || python "$here/narrower.py" galaxy-zoo 0.5 narrow
[ -e stamps.parquet ] || python "$here/detection_catalog.py" "$data" stamps.parquet

recipe=(
    --head-epochs 0 --network mobilenet_v1 --alpha 0.5 --image-size 64
    --crop-fraction 0.45 --margin-fraction 0.2 --batch-size 64
    --label-groups galaxy=round+in_between+cigar+edge_on+spiral
    --early-stopping-patience 60 --schedule cosine --label-smoothing 0.02
    --zoom-fraction 0.12 --shift-fraction 0.03 --blur-fraction 0.015
    --noise-levels 4 --colour-fraction 0.15 --jpeg-quality 60
    --validation-fraction 0.06 --mantissa-bits 9 --num-workers 1
)

# What is left of the wide network learns anew, then more of the same.
trained first || python -m jobs.train --catalog stamps.parquet --output first \
    --start-from narrow --epochs 8 --learning-rate 1.5e-3 \
    --weight-averaging 0.99 "${recipe[@]}"
trained second || python -m jobs.train --catalog stamps.parquet --output second \
    --start-from first --epochs 10 --learning-rate 1e-3 \
    --weight-averaging 0.995 "${recipe[@]}"
trained third || python -m jobs.train --catalog stamps.parquet --output third \
    --start-from second --epochs 6 --learning-rate 8e-4 \
    --weight-averaging 0.995 "${recipe[@]}"

python "$here/ship.py" third galaxy-zoo-detect
python "$here/detection_test.py" "$data" third test
