#!/usr/bin/env bash
# The model that comes with the package, from its data to its folder. In the environment
# in which the package is installed:
#
#   infra/models/galaxy_zoo.sh DATA IMAGENET WORK
#
# DATA holds galaxy_zoo_1 and galaxy_zoo_2, each a catalog.csv (object_id, image, label)
# and its images. IMAGENET is MobileNet v1 (width 1, 224 px) as a frozen graph with
# ImageNet's weights; the model card says which. WORK keeps all that is trained; the same
# command goes on where it was. About three hours on two cores. Change: the seeds, the
# epochs.
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

if [ ! -e simulated/catalog.csv ]; then
    python "$here/made_up_sky.py" simulated
fi
trained imagenet || python "$here/imagenet_mobilenet_v1.py" "$imagenet" imagenet
python "$here/galaxy_zoo_catalog.py" "$data" both.csv
ln -sfn "$data/galaxy_zoo_2" galaxy_zoo_2

# A first teacher. What galaxies look like, from galaxies that cost nothing.
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

# A second and a third, whose beginning was another: photographs of anything.
trained imagenet_both || python -m jobs.train --catalog both.csv \
    --output imagenet_both --network mobilenet_v1 --start-from imagenet \
    --head-epochs 0 --image-size 96 --crop-fraction 0.55 --epochs 24 \
    --early-stopping-patience 60 --learning-rate 5e-4 --schedule cosine \
    --weight-averaging 0.995 --label-smoothing 0.05 \
    --label-groups elliptical=round+in_between+cigar --class-weight square_root \
    --zoom-fraction 0.2 --shift-fraction 0.05 \
    --validation-fraction 0.1 --test-fraction 0.2 --mantissa-bits 9 --num-workers 1
trained imagenet_five || python -m jobs.train --catalog galaxy_zoo_2/catalog.csv \
    --output imagenet_five --network mobilenet_v1 --start-from imagenet_both \
    --image-size 96 --crop-fraction 0.55 --epochs 10 --early-stopping-patience 12 \
    --learning-rate 1e-4 --schedule cosine --weight-averaging 0.99 \
    --label-smoothing 0.05 --class-weight square_root \
    --zoom-fraction 0.2 --shift-fraction 0.05 \
    --validation-fraction 0.1 --test-fraction 0.2 --mantissa-bits 7 --num-workers 1

# What each says of every galaxy, seen from all sides.
scored taught_by_five || python -m jobs.score --catalog both.csv \
    --model five --tta dihedral --output taught_by_five
scored taught_by_imagenet_both || python -m jobs.score --catalog both.csv \
    --model imagenet_both --tta dihedral --output taught_by_imagenet_both
scored taught_by_imagenet_five || python -m jobs.score --catalog both.csv \
    --model imagenet_five --tta dihedral --output taught_by_imagenet_five

# The student learns from all three, beside the labels.
trained student || python -m jobs.train --catalog both.csv \
    --output student --network mobilenet_v1 --start-from imagenet_both \
    --teacher taught_by_five taught_by_imagenet_both taught_by_imagenet_five \
    --teacher-weight 0.6 --image-size 96 --crop-fraction 0.55 --epochs 22 \
    --early-stopping-patience 60 --learning-rate 5e-4 --schedule cosine \
    --weight-averaging 0.995 --label-smoothing 0.02 \
    --label-groups elliptical=round+in_between+cigar --class-weight square_root \
    --zoom-fraction 0.2 --shift-fraction 0.05 \
    --validation-fraction 0.1 --test-fraction 0.2 --mantissa-bits 9 --num-workers 1

# And once more, from itself, too.
scored taught_by_student || python -m jobs.score --catalog both.csv \
    --model student --tta dihedral --output taught_by_student
trained again || python -m jobs.train --catalog both.csv \
    --output again --network mobilenet_v1 --start-from student \
    --teacher taught_by_five taught_by_imagenet_both taught_by_imagenet_five \
    taught_by_student \
    --teacher-weight 0.7 --image-size 96 --crop-fraction 0.55 --epochs 14 \
    --early-stopping-patience 60 --learning-rate 3e-4 --schedule cosine \
    --weight-averaging 0.995 --label-smoothing 0.02 \
    --label-groups elliptical=round+in_between+cigar --class-weight square_root \
    --undo-class-weight --zoom-fraction 0.2 --shift-fraction 0.05 \
    --validation-fraction 0.1 --test-fraction 0.2 --mantissa-bits 7 --num-workers 1

python "$here/ship.py" again galaxy-zoo
