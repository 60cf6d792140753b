# The controller, from locked wheels only. Two stages: what builds, and what runs.
# The base is an argument, so that a mirror or a hardened image can stand in; it needs Python 3.11 or newer with venv, and glibc.
ARG BASE=python:3.11-slim

FROM ${BASE} AS build
# For those behind a mirror; neither reaches the image that runs.
ARG PIP_INDEX_URL
ARG PIP_CERT
ARG PIP_DEFAULT_TIMEOUT=60
WORKDIR /src
COPY requirements/build.txt requirements/controller.txt requirements/
RUN python3 -m venv /opt/build \
    && /opt/build/bin/pip install --no-cache-dir --require-hashes --only-binary :all: -r requirements/build.txt \
    && python3 -m venv /opt/dgdr \
    && /opt/dgdr/bin/pip install --no-cache-dir --require-hashes --only-binary :all: -r requirements/controller.txt
COPY pyproject.toml README.md LICENSE NOTICE ./
COPY requirements/sbom.py requirements/
COPY operator operator
COPY estimator estimator
COPY perf_db perf_db
# The clock of the sources, so that the same sources make the same wheel.
ARG SOURCE_DATE_EPOCH=1577836800
RUN /opt/build/bin/python -m hatchling build -t wheel -d /src/dist \
    && /opt/dgdr/bin/pip install --no-cache-dir --no-deps --no-index dist/*.whl \
    && /opt/dgdr/bin/python requirements/sbom.py > /opt/dgdr/sbom.cdx.json \
    && /opt/dgdr/bin/python -m pip uninstall --yes pip setuptools \
    && find /opt/dgdr -type d \( -name tests -o -name test \) -path '*/site-packages/*' -prune -exec rm -r {} +

# `docker build --target sbom --output . .` writes what is inside as a file.
FROM scratch AS sbom
COPY --from=build /opt/dgdr/sbom.cdx.json /

FROM ${BASE}
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="dgdr-operator" \
      org.opencontainers.image.description="Turns DynamoGraphDeploymentRequests into DynamoGraphDeployments, planned on measured GPU kernel data" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
# A name for the number: libraries ask the passwd file who they are, and Kubernetes' runAsNonRoot wants a number.
RUN echo 'dgdr:x:65532:65532:dgdr-operator:/nonexistent:/usr/sbin/nologin' >> /etc/passwd \
    && echo 'dgdr:x:65532:' >> /etc/group
COPY --from=build /opt/dgdr /opt/dgdr
ENV PATH=/opt/dgdr/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER 65532:65532
# Not the sources' folder: the wheel is what runs, and nothing beside it may stand first on the path.
WORKDIR /
ENTRYPOINT ["python", "-m", "dgdr_operator"]
