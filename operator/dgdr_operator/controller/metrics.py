"""Every metric name, once. Names that controller-runtime and client-go use mean the same here."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

from dgdr_operator import __version__

REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)

NAME = "dgdr"
"""The label by which dashboards of controller-runtime tell controllers and queues apart."""
WAITS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
LONG = (0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600)

BUILD = Gauge("dgdr_build_info", "1, with the version as a label", ["version"], registry=REGISTRY)
BUILD.labels(__version__).set(1)

_BY = ["controller"]
RECONCILES = Counter("controller_runtime_reconcile_total", "Reconciles by result", [*_BY, "result"], registry=REGISTRY)
RECONCILE_ERRORS = Counter(
    "controller_runtime_reconcile_errors_total", "Reconciles that failed", _BY, registry=REGISTRY
)
RECONCILE_SECONDS = Histogram(
    "controller_runtime_reconcile_time_seconds", "Seconds per reconcile", _BY, buckets=WAITS, registry=REGISTRY
)
ACTIVE_WORKERS = Gauge("controller_runtime_active_workers", "Reconciles in hand", _BY, registry=REGISTRY)
MOST_WORKERS = Gauge("controller_runtime_max_concurrent_reconciles", "Reconciles at a time", _BY, registry=REGISTRY)

_LINE = ["name", "controller"]
QUEUE_DEPTH = Gauge("workqueue_depth", "Keys that wait", _LINE, registry=REGISTRY)
QUEUE_ADDS = Counter("workqueue_adds_total", "Keys added", _LINE, registry=REGISTRY)
QUEUE_RETRIES = Counter("workqueue_retries_total", "Keys that come back after a failure", _LINE, registry=REGISTRY)
QUEUE_SECONDS = Histogram(
    "workqueue_queue_duration_seconds", "Seconds from a ring to a reconcile", _LINE, buckets=WAITS, registry=REGISTRY
)
WORK_SECONDS = Histogram(
    "workqueue_work_duration_seconds", "Seconds a key is in hand", _LINE, buckets=WAITS, registry=REGISTRY
)
UNFINISHED_SECONDS = Gauge("workqueue_unfinished_work_seconds", "Seconds in hand, all keys", _LINE, registry=REGISTRY)
LONGEST_SECONDS = Gauge(
    "workqueue_longest_running_processor_seconds", "Seconds in hand, the oldest key", _LINE, registry=REGISTRY
)
PACE_SECONDS = Histogram(
    "rest_client_rate_limiter_duration_seconds", "Seconds a write waits for its turn", registry=REGISTRY
)
LEADING = Gauge("leader_election_master_status", "1 while this replica leads", ["name"], registry=REGISTRY)
API_CALLS = Counter("rest_client_requests_total", "Calls to the API server", ["code", "method"], registry=REGISTRY)

UNSYNCED = Gauge("dgdr_unsynced", "Requests whose graph is not as planned, by reason", ["reason"], registry=REGISTRY)
PLAN_SECONDS = Histogram(
    "dgdr_time_to_plan_seconds", "Seconds from a request to its first plan", buckets=LONG, registry=REGISTRY
)
DEPLOYED_SECONDS = Histogram(
    "dgdr_time_to_deployed_seconds", "Seconds from a request to a graph that serves", buckets=LONG, registry=REGISTRY
)
TRANSITIONS = Counter("dgdr_phase_transitions_total", "Changes of phase", ["from", "to"], registry=REGISTRY)
REFUSALS = Counter("dgdr_refusals_total", "Requests without a plan, by reason", ["reason"], registry=REGISTRY)
ESTIMATOR_QUEUE = Gauge("dgdr_estimator_queue_depth", "Questions that wait for a process", registry=REGISTRY)
REQUESTS = Gauge("dgdr_requests", "Requests by phase", ["phase"], registry=REGISTRY)
ESTIMATOR_SECONDS = Histogram("dgdr_estimator_duration_seconds", "Seconds per plan", ["result"], registry=REGISTRY)
ESTIMATOR_HITS = Counter("dgdr_estimator_cache_hits_total", "Answers found in the cache", registry=REGISTRY)
ESTIMATOR_MISSES = Counter("dgdr_estimator_cache_misses_total", "Answers computed", registry=REGISTRY)
ESTIMATOR_RESTARTS = Counter("dgdr_estimator_restarts_total", "Processes replaced", ["why"], registry=REGISTRY)
DRIFT_CORRECTIONS = Counter("dgdr_drift_corrections_total", "Graphs put back as planned", registry=REGISTRY)
WATCH_RESTARTS = Counter("dgdr_watch_restarts_total", "Times the watch began anew", ["why"], registry=REGISTRY)
WATCH_DEAF = Counter(
    "dgdr_watch_deaf_total", "Times a watch was there and said nothing", ["resource"], registry=REGISTRY
)
WATCH_LAST = Gauge("dgdr_watch_last_event_timestamp_seconds", "Last event heard", ["resource"], registry=REGISTRY)
for _which in ("request", "graph"):
    WATCH_DEAF.labels(_which)
for _why in ("fell", "deaf"):
    WATCH_RESTARTS.labels(_why)
EVENTS_LEFT_OUT = Counter("dgdr_events_left_out_total", "Events beyond the limit of their request", registry=REGISTRY)
GHOSTS = Counter("dgdr_sweep_ghosts_total", "Changes that only a sweep found", registry=REGISTRY)
GPU_NODES = Gauge("dgdr_gpu_nodes", "Ready GPU nodes by SKU", ["sku"], registry=REGISTRY)
GPUS = Gauge("dgdr_gpus", "GPUs of ready nodes by SKU, free or held by pods", ["sku", "state"], registry=REGISTRY)
LOOP_LAG = Gauge("dgdr_event_loop_lag_seconds", "Lateness of the last heartbeat", registry=REGISTRY)
