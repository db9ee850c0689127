# docker build -t fed-pretrain .
# docker build -t fed-pretrain:gpu --build-arg ACTION=gpu .           (CUDA wheels, 3 GB more)
# docker build -t fed-pretrain:worker --target beam-worker .          (of a Beam engine)
# docker build -t fed-pretrain:prepare --target prepare-worker .      (the same, for preparing only)
# docker run --rm -v "$PWD/runs:/studies/runs" fed-pretrain train --task=digits --workdir=runs/digits
#
# tools/build_in_chroot.py runs these steps without Docker, which is how they are tested.
FROM debian:bookworm-slim AS base
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates python3.11 python3.11-venv \
    && rm -rf /var/lib/apt/lists/*
RUN useradd --create-home --uid 1000 researcher && mkdir /studies && chown researcher /studies
WORKDIR /opt/fed_pretrain
# The packages are a layer that depends on their locks alone.
COPY requirements.lock requirements-gpu.lock requirements-dev.lock requirements-bootstrap.lock ./
COPY requirements*.in ./
COPY tools/environment.py tools/cuda_library_path.py tools/
COPY groundwork/embedded.lock groundwork/
ARG ACTION=install
RUN python3.11 tools/environment.py $ACTION --runtime && rm -rf .cache
COPY LICENSE README.md setup.py pyproject.toml ./
COPY groundwork groundwork
COPY data_prep data_prep
COPY fed_pretrain fed_pretrain
COPY pipelines pipelines
# Ours, and the embedded data and weights, which are real and small (27 MB).
RUN .venv/bin/python -m pip install --no-deps --no-build-isolation --no-index . \
    && .venv/bin/python -m fed_pretrain.fetch_embedded \
    && rm -rf build *.egg-info
ARG COMMIT=
ENV PATH=/opt/fed_pretrain/.venv/bin:/usr/local/bin:/usr/bin:/bin FED_PRETRAIN_COMMIT=$COMMIT
WORKDIR /studies

# Workers of Flink, Spark or Dataflow: Beam's boot program finds this Python on PATH.
FROM base AS beam-worker
COPY --from=apache/beam_python3.11_sdk:2.77.0 /opt/apache/beam /opt/apache/beam
USER researcher
ENTRYPOINT ["/opt/apache/beam/boot"]

# Preparing takes no TensorFlow.
FROM debian:bookworm-slim AS prepare
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates python3.11 python3.11-venv \
    && rm -rf /var/lib/apt/lists/*
RUN useradd --create-home --uid 1000 researcher && mkdir /studies && chown researcher /studies
WORKDIR /opt/fed_pretrain
COPY environments/prepare.lock ./
RUN python3.11 -m venv .venv \
    && .venv/bin/python -m pip install --no-cache-dir --no-deps --require-hashes -r prepare.lock
COPY groundwork groundwork
COPY data_prep data_prep
ENV PATH=/opt/fed_pretrain/.venv/bin:/usr/local/bin:/usr/bin:/bin PYTHONPATH=/opt/fed_pretrain
WORKDIR /studies
USER researcher
ENTRYPOINT ["python", "-m", "data_prep.prepare"]
CMD ["--help"]

FROM prepare AS prepare-worker
COPY --from=apache/beam_python3.11_sdk:2.77.0 /opt/apache/beam /opt/apache/beam
ENTRYPOINT ["/opt/apache/beam/boot"]

FROM base
USER researcher
ENTRYPOINT ["fed-pretrain"]
CMD ["--help"]
