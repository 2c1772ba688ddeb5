#!/usr/bin/env bash
# The small model that comes with the package, taught by the large one. In the environment
# in which the package is installed:
#
#   infra/models/galaxy_zoo_small.sh WORK
#
# WORK is that of galaxy_zoo.sh. The same command goes on where it was. The model card says
# how long it takes.
set -euo pipefail

if [ "$#" -ne 1 ]; then
    echo "usage: $0 WORK" >&2
    exit 2
fi
here=$(realpath "$(dirname "$0")")
cd "$1"

trained() { [ -e "$1/model.json" ]; }
scored() { [ -e "$1/_run.json" ]; }

# Two teachers, seen from all sides: the shipped model and the one before it.
scored taught_at_128_px || python -m jobs.score --catalog both.csv \
    --model at_128_px --tta dihedral --output taught_at_128_px
trained small || python -m jobs.train --catalog both.csv --output small \
    --network mobilenet_v2_paper --alpha 0.35 --image-size 96 \
    --crop-fraction 0.55 --margin-fraction 0.2 --epochs 24 --learning-rate 2e-3 \
    --teacher taught_at_96_px --teacher taught_at_128_px --teacher-weight 0.8 \
    --batch-size 64 --schedule cosine --weight-averaging 0.998 \
    --early-stopping-patience 60 \
    --label-groups elliptical=round+in_between+cigar \
    --class-weight square_root --undo-class-weight \
    --zoom-fraction 0.4 --shift-fraction 0.05 --blur-fraction 0.02 \
    --noise-levels 6 --colour-fraction 0.2 --jpeg-quality 40 \
    --validation-fraction 0.05 --test-fraction 0.05 --mantissa-bits 7 --num-workers 1

python "$here/ship.py" small galaxy-zoo-small
