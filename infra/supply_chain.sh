#!/usr/bin/env bash
# The package's bill of materials (CycloneDX), and advisories about what is in it:
#
#   infra/supply_chain.sh [FILE]
#
# writes galaxy_batch.cdx.json, or FILE: every library that the package brings, in the
# versions of constraints.txt, with its licence. Then pip-audit looks each one up; that
# needs a package index with advisories, and fails if there is one about a version here.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
bill=${1:-galaxy_batch.cdx.json}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 -m venv "$work/tools"
"$work/tools/bin/pip" install -q uv 'cyclonedx-bom>=7,<8' 'pip-audit>=2.9,<3'
"$work/tools/bin/uv" venv -q "$work/installed"
"$work/tools/bin/uv" pip install -q --python "$work/installed/bin/python" \
    -c "$root/infra/constraints.txt" "$root"

"$work/tools/bin/cyclonedx-py" environment --pyproject "$root/pyproject.toml" \
    --mc-type application --output-reproducible --output-file "$bill" \
    "$work/installed/bin/python"
echo "bill of materials: $bill"

"$work/tools/bin/uv" pip freeze -q --python "$work/installed/bin/python" \
    --exclude-editable | grep -v '^galaxy-batch' > "$work/installed.txt"
"$work/tools/bin/pip-audit" --disable-pip --no-deps -r "$work/installed.txt"
