FROM python:3.11-slim

# one image for every Airflow service and for the set-up job; nothing in it runs as root
RUN useradd --uid 50000 --create-home --home-dir /opt/airflow airflow \
 && mkdir -p /opt/airflow/logs /opt/segmentation/data \
 && chown -R airflow:airflow /opt/airflow /opt/segmentation
WORKDIR /opt/segmentation

# for SEGMENTATION_ENGINE=spark alone
RUN apt-get update && apt-get install --yes --no-install-recommends default-jre-headless && rm -rf /var/lib/apt/lists/*

COPY requirements.txt ./
RUN pip install --no-cache-dir --require-hashes -r requirements.txt

# the code belongs to root: no task can change what the next one runs
COPY pyproject.toml README.md ./
COPY include ./include
COPY dags ./dags
COPY plugins ./plugins
RUN pip install --no-cache-dir --no-deps --no-build-isolation -e .

USER airflow
ENV AIRFLOW_HOME=/opt/airflow \
    AIRFLOW__CORE__DAGS_FOLDER=/opt/segmentation/dags \
    AIRFLOW__CORE__PLUGINS_FOLDER=/opt/segmentation/plugins \
    AIRFLOW__CORE__LOAD_EXAMPLES=False \
    SEGMENTATION_HOME=/opt/segmentation/data \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
CMD ["segmentation", "--help"]
