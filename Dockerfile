# The controller, from locked wheels only. Two stages: what builds, and what runs.
# The base is an argument, so that a mirror or a hardened image can stand in; it needs Python 3.11 or newer and glibc.
ARG BASE=python:3.11-slim

FROM ${BASE} AS build
WORKDIR /src
COPY requirements/build.txt requirements/controller.txt requirements/
RUN python3 -m venv /opt/build \
    && /opt/build/bin/pip install --no-cache-dir --require-hashes --only-binary :all: -r requirements/build.txt \
    && python3 -m venv /opt/dgdr \
    && /opt/dgdr/bin/pip install --no-cache-dir --require-hashes --only-binary :all: -r requirements/controller.txt
COPY pyproject.toml README.md LICENSE NOTICE ./
COPY operator operator
COPY estimator estimator
COPY perf_db perf_db
RUN /opt/build/bin/python -m hatchling build -t wheel -d /src/dist \
    && /opt/dgdr/bin/pip install --no-cache-dir --no-deps --no-index dist/*.whl \
    && /opt/dgdr/bin/python -m pip uninstall --yes pip setuptools

FROM ${BASE}
# A name for the number: libraries ask the passwd file who they are, and Kubernetes' runAsNonRoot wants a number.
RUN echo 'dgdr:x:65532:65532:dgdr-operator:/nonexistent:/usr/sbin/nologin' >> /etc/passwd \
    && echo 'dgdr:x:65532:' >> /etc/group
COPY --from=build /opt/dgdr /opt/dgdr
ENV PATH=/opt/dgdr/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER 65532:65532
# Not the sources' folder: the wheel is what runs, and nothing beside it may stand first on the path.
WORKDIR /
ENTRYPOINT ["python", "-m", "dgdr_operator"]
