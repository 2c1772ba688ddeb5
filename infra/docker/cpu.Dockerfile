# galaxy-batch for nodes with CPUs: a cluster's head, its CPU workers, and the pod that
# submits a job. From the root of the repository:
#
#   docker build -f infra/docker/cpu.Dockerfile -t galaxy-batch:ray2.60.0-cpu .
#
# Change: PYTHON_IMAGE, if you keep a copy of it (--build-arg; the same Python minor
# version in both images, since Ray refuses a cluster of two); the tag's name, and then
# `image:` in infra/kuberay. Ray's version is not chosen here: like every other version
# it is the one of infra/constraints.txt.
ARG PYTHON_IMAGE=python:3.11-slim
FROM ${PYTHON_IMAGE}

# KubeRay before 1.6 asks with wget how a node is. Debian drops a package's old versions,
# so that a pin would only break the build.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends wget \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 1000 --user-group --create-home galaxy

# Into the system's Python, which belongs to root: jobs cannot change what they run, and
# KubeRay's login shells find `ray`. Compiled now, because the jobs' user could not keep
# it, and each of Ray's many processes would compile all that it imports.
ENV UV_SYSTEM_PYTHON=1 UV_NO_CACHE=1 UV_COMPILE_BYTECODE=1
WORKDIR /opt/galaxy-batch

# What changes seldom comes first: a change of the source costs seconds.
COPY infra/constraints.txt infra/constraints.txt
COPY pyproject.toml pyproject.toml
RUN pip install --no-cache-dir -c infra/constraints.txt uv \
    && uv pip install -c infra/constraints.txt -r pyproject.toml

COPY LICENSE README.md ./
COPY galaxy_models galaxy_models
RUN uv pip install --no-deps -b infra/constraints.txt .

# By number, so that Kubernetes can see that it is not root.
USER 1000:1000
WORKDIR /home/galaxy

# A cluster without a token does not start; Ray's usage reports stay off.
ENV RAY_AUTH_MODE=token RAY_USAGE_STATS_ENABLED=0
