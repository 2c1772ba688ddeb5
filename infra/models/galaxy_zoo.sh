#!/usr/bin/env bash
# The model that comes with the package, from its data to its folder. In the environment
# in which the package is installed:
#
#   infra/models/galaxy_zoo.sh DATA IMAGENET WORK
#
# DATA holds galaxy_zoo_1, galaxy_zoo_2 and galaxy_zoo_2_clean, each a catalog.csv
# (object_id, image, label) and its images. IMAGENET is MobileNet v1 (width 1, 224 px) as
# a frozen graph with ImageNet's weights; the model card says which. WORK keeps all that
# is trained; the same command goes on where it was. Hours: the model card says how many.
set -euo pipefail

if [ "$#" -ne 3 ]; then
    echo "usage: $0 DATA IMAGENET WORK" >&2
    exit 2
fi
here=$(realpath "$(dirname "$0")") data=$(realpath "$1") imagenet=$(realpath "$2")
mkdir -p "$3"
cd "$3"

trained() { [ -e "$1/model.json" ]; }
scored() { [ -e "$1/_run.json" ]; }

# Galaxies of both surveys, seen turned, at other scales, seeing, depths, colours and
# compressions.
recipe=(
    --network mobilenet_v1 --crop-fraction 0.55 --margin-fraction 0.2
    --batch-size 64 --schedule cosine --weight-averaging 0.998
    --early-stopping-patience 60
    --label-groups elliptical=round+in_between+cigar
    --class-weight square_root --undo-class-weight
    --zoom-fraction 0.4 --shift-fraction 0.05 --blur-fraction 0.02
    --noise-levels 6 --colour-fraction 0.2 --jpeg-quality 40
    --validation-fraction 0.05 --test-fraction 0.05 --num-workers 1
)

trained imagenet || python "$here/imagenet_mobilenet_v1.py" "$imagenet" imagenet
python "$here/galaxy_zoo_catalog.py" "$data" .

# Small pictures first, which cost least.
trained at_64_px || python -m jobs.train --catalog both.csv --output at_64_px \
    --start-from imagenet --head-epochs 0 --image-size 64 \
    --epochs 12 --learning-rate 1e-3 --label-smoothing 0.02 "${recipe[@]}"
trained at_96_px || python -m jobs.train --catalog both.csv --output at_96_px \
    --start-from at_64_px --image-size 96 \
    --epochs 10 --learning-rate 5e-4 --label-smoothing 0.02 "${recipe[@]}"

# What that says of every galaxy, seen from all sides, teaches the next one beside the
# labels.
scored taught_at_96_px || python -m jobs.score --catalog both.csv \
    --model at_96_px --tta dihedral --output taught_at_96_px
trained at_128_px || python -m jobs.train --catalog both.csv --output at_128_px \
    --start-from at_96_px --image-size 128 \
    --epochs 4 --learning-rate 3e-4 --teacher taught_at_96_px --teacher-weight 0.5 \
    --label-smoothing 0.02 --mantissa-bits 7 "${recipe[@]}"

# Views that are turned, moved or zoomed are smoother than what is predicted: in the end
# most stay as they are, and the labels count for more.
scored taught_at_128_px || python -m jobs.score --catalog both.csv \
    --model at_128_px --tta dihedral --output taught_at_128_px
trained at_128_px_sharp || python -m jobs.train --catalog both.csv \
    --output at_128_px_sharp --start-from at_128_px --head-epochs 0 --image-size 128 \
    --epochs 5 --learning-rate 5e-4 --teacher taught_at_128_px --teacher-weight 0.3 \
    --moved-fraction 0.4 --mantissa-bits 7 "${recipe[@]}"

# Larger pictures make a better teacher, here and for galaxy_zoo_small.sh.
scored taught_at_128_px_sharp || python -m jobs.score --catalog both.csv \
    --model at_128_px_sharp --tta dihedral --output taught_at_128_px_sharp
trained at_160_px || python -m jobs.train --catalog both.csv --output at_160_px \
    --start-from at_128_px_sharp --head-epochs 0 --image-size 160 \
    --epochs 5 --learning-rate 5e-4 --teacher taught_at_128_px_sharp --teacher-weight 0.3 \
    --moved-fraction 0.4 --mantissa-bits 7 "${recipe[@]}"
scored taught_at_160_px || python -m jobs.score --catalog both.csv \
    --model at_160_px --tta dihedral --output taught_at_160_px
trained at_128_px_again || python -m jobs.train --catalog both.csv \
    --output at_128_px_again --start-from at_160_px --head-epochs 0 --image-size 128 \
    --epochs 10 --learning-rate 8e-4 --teacher taught_at_160_px --teacher-weight 0.5 \
    --moved-fraction 0.4 --mantissa-bits 7 "${recipe[@]}"

# In the end the labels alone, every galaxy counting the same, in views that no step has
# seen: the other seed draws them.
trained plain_at_128_px || python -m jobs.train --catalog both.csv \
    --output plain_at_128_px --start-from at_128_px_again --head-epochs 0 \
    --image-size 128 --epochs 3 --learning-rate 3e-4 --moved-fraction 0.4 \
    --mantissa-bits 7 "${recipe[@]}" --seed 3 --class-weight none --no-undo-class-weight \
    --colour-fraction 0.25 --jpeg-quality 25

python "$here/ship.py" plain_at_128_px galaxy-zoo
