#!/usr/bin/env bash
# The small model that comes with the package, taught by the large one. In the environment
# in which the package is installed:
#
#   infra/models/galaxy_zoo_small.sh WORK
#
# WORK is that of galaxy_zoo.sh, with what two of its models say of every galaxy, seen
# from all sides: the teachers here. The same command goes on where it was. The model card
# says how long it takes.
set -euo pipefail

if [ "$#" -ne 1 ]; then
    echo "usage: $0 WORK" >&2
    exit 2
fi
here=$(realpath "$(dirname "$0")")
cd "$1"

trained() { [ -e "$1/model.json" ]; }

recipe=(
    --network mobilenet_v2_paper --alpha 0.35 --crop-fraction 0.55
    --teacher-weight 0.8
    --batch-size 64 --schedule cosine --early-stopping-patience 60
    --label-groups elliptical=round+in_between+cigar
    --class-weight square_root --undo-class-weight
    --blur-fraction 0.02 --noise-levels 6 --colour-fraction 0.2 --jpeg-quality 40
    --validation-fraction 0.05 --test-fraction 0.05 --num-workers 1
)
moved=(
    --margin-fraction 0.2 --zoom-fraction 0.4 --shift-fraction 0.05
    --weight-averaging 0.998
)
# As sharp as they are predicted: views that are turned, moved or zoomed are not.
sharp=(--rotation-deg 0 --zoom-fraction 0 --shift-fraction 0 --weight-averaging 0.99)

# Small pictures first; at the start with the blog's hidden layer, three quarters of all
# weights, then without it.
at_96_px=(--image-size 96 --teacher taught_at_128_px)
trained small_first || python -m jobs.train --catalog both.csv --output small_first \
    --epochs 24 --learning-rate 2e-3 --mantissa-bits 7 \
    "${at_96_px[@]}" "${moved[@]}" "${recipe[@]}"
continued=(--head-epochs 0 --hidden-units 0 --mantissa-bits 5)
trained small_second || python -m jobs.train --catalog both.csv --output small_second \
    --start-from small_first --epochs 16 --learning-rate 1.5e-3 \
    "${continued[@]}" "${at_96_px[@]}" "${moved[@]}" "${recipe[@]}"
trained small || python -m jobs.train --catalog both.csv --output small \
    --start-from small_second --epochs 3 --learning-rate 4e-4 \
    "${continued[@]}" "${at_96_px[@]}" "${sharp[@]}" "${recipe[@]}"

# Larger ones, from a better teacher.
at_128_px=(--image-size 128 --teacher taught_at_160_px)
trained small_at_128_px || python -m jobs.train --catalog both.csv \
    --output small_at_128_px --start-from small --epochs 12 --learning-rate 1.5e-3 \
    "${continued[@]}" "${at_128_px[@]}" "${moved[@]}" "${recipe[@]}"
trained small_at_128_px_sharp || python -m jobs.train --catalog both.csv \
    --output small_at_128_px_sharp --start-from small_at_128_px \
    --epochs 4 --learning-rate 4e-4 \
    "${continued[@]}" "${at_128_px[@]}" "${sharp[@]}" "${recipe[@]}"

python "$here/ship.py" small_at_128_px_sharp galaxy-zoo-small
