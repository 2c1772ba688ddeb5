#!/usr/bin/env bash
# The model that comes with the package, from its data to its folder. In the environment
# in which the package is installed:
#
#   infra/models/galaxy_zoo.sh DATA WORK
#
# DATA holds galaxy_zoo_1 and galaxy_zoo_2, each a catalog.csv (object_id, image, label)
# and its images. WORK keeps all that is trained; the same command goes on where it was.
# About two hours on two cores. Change: the seeds, the epochs.
set -euo pipefail

if [ "$#" -ne 2 ]; then
    echo "usage: $0 DATA WORK" >&2
    exit 2
fi
here=$(realpath "$(dirname "$0")") data=$(realpath "$1")
mkdir -p "$2"
cd "$2"

trained() { [ -e "$1/model.json" ]; }

if [ ! -e simulated/catalog.csv ]; then
    python "$here/made_up_sky.py" simulated
fi
python "$here/galaxy_zoo_catalog.py" "$data" both.csv
ln -sfn "$data/galaxy_zoo_2" galaxy_zoo_2

# What galaxies look like, from galaxies that cost nothing.
trained made_up || python -m jobs.train --catalog simulated/catalog.csv \
    --output made_up --network mobilenet_v1 --image-size 96 --crop-fraction 0.9 \
    --epochs 5 --learning-rate 1e-3 --schedule cosine --weight-averaging 0.99 \
    --validation-fraction 0.03 --num-workers 1

# Real ones of both surveys. Coarse labels teach what they know.
trained both || python -m jobs.train --catalog both.csv \
    --output both --network mobilenet_v1 --start-from made_up \
    --image-size 96 --crop-fraction 0.55 --epochs 60 --early-stopping-patience 60 \
    --learning-rate 1e-3 --schedule cosine --weight-averaging 0.998 \
    --label-smoothing 0.05 --label-groups elliptical=round+in_between+cigar \
    --class-weight square_root --zoom-fraction 0.2 --shift-fraction 0.05 \
    --validation-fraction 0.1 --test-fraction 0.2 --mantissa-bits 9 --num-workers 1

# Then only those whose labels are the five classes.
trained five || python -m jobs.train --catalog galaxy_zoo_2/catalog.csv \
    --output five --network mobilenet_v1 --start-from both \
    --image-size 96 --crop-fraction 0.55 --epochs 12 --early-stopping-patience 12 \
    --learning-rate 1e-4 --schedule cosine --weight-averaging 0.99 \
    --label-smoothing 0.05 --zoom-fraction 0.2 --shift-fraction 0.05 \
    --validation-fraction 0.1 --test-fraction 0.2 --mantissa-bits 7 --num-workers 1

python "$here/ship.py" five galaxy-zoo
