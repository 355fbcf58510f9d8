# For the CPU:      docker build -t sam2s .
# For CUDA cards:   docker build -t sam2s:cuda --build-arg TORCH_INDEX=https://download.pytorch.org/whl/cu130 .
# With extras:      --build-arg EXTRAS='[synth]'
# Run in a folder:  docker run --rm -v "$PWD:/data" -u "$(id -u):$(id -g)" sam2s demo --out demo
#                   (--gpus all with CUDA; -i for a video from the standard input)
FROM python:3.12-slim

ARG TORCH=2.13.0
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
ARG EXTRAS=

# Torch first: the largest layer by far, and the one that changes least.
RUN pip install --no-cache-dir "torch==${TORCH}" --index-url "${TORCH_INDEX}"

WORKDIR /opt/sam2s
COPY pyproject.toml README.md LICENSE NOTICE ./
COPY src ./src
# The package in this folder: there is no version to pin.
# hadolint ignore=DL3013
RUN pip install --no-cache-dir ".${EXTRAS}"

# Weights from the hub are kept here; mount a volume to keep them between runs.
ENV HF_HOME=/cache \
    OMP_WAIT_POLICY=PASSIVE
RUN mkdir -p /cache /data && chmod 1777 /cache /data
WORKDIR /data
USER 65534
ENTRYPOINT ["sam2s"]
CMD ["--help"]
