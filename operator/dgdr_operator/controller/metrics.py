"""Every metric name, once. Names that controller-runtime and client-go use mean the same here."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)

RECONCILES = Counter("controller_runtime_reconcile_total", "Reconciles by result", ["result"], registry=REGISTRY)
RECONCILE_SECONDS = Histogram("controller_runtime_reconcile_time_seconds", "Seconds per reconcile", registry=REGISTRY)
ACTIVE_WORKERS = Gauge("controller_runtime_active_workers", "Reconciles in hand", registry=REGISTRY)
QUEUE_DEPTH = Gauge("workqueue_depth", "Keys that wait", registry=REGISTRY)
QUEUE_RETRIES = Counter("workqueue_retries_total", "Keys that come back after a failure", registry=REGISTRY)
PACE_SECONDS = Histogram(
    "rest_client_rate_limiter_duration_seconds", "Seconds a write waits for its turn", registry=REGISTRY
)
LEADING = Gauge("leader_election_master_status", "1 while this replica leads", ["name"], registry=REGISTRY)
API_CALLS = Counter("rest_client_requests_total", "Calls to the API server", ["code", "method"], registry=REGISTRY)

REQUESTS = Gauge("dgdr_requests", "Requests by phase", ["phase"], registry=REGISTRY)
ESTIMATOR_SECONDS = Histogram("dgdr_estimator_duration_seconds", "Seconds per plan", ["result"], registry=REGISTRY)
ESTIMATOR_HITS = Counter("dgdr_estimator_cache_hits_total", "Answers found in the cache", registry=REGISTRY)
ESTIMATOR_MISSES = Counter("dgdr_estimator_cache_misses_total", "Answers computed", registry=REGISTRY)
ESTIMATOR_RESTARTS = Counter("dgdr_estimator_restarts_total", "Processes replaced", ["why"], registry=REGISTRY)
DRIFT_CORRECTIONS = Counter("dgdr_drift_corrections_total", "Graphs put back as planned", registry=REGISTRY)
WATCH_RESTARTS = Counter("dgdr_watch_restarts_total", "Times the watch fell", registry=REGISTRY)
EVENTS_LEFT_OUT = Counter("dgdr_events_left_out_total", "Events beyond the limit of their request", registry=REGISTRY)
GHOSTS = Counter("dgdr_sweep_ghosts_total", "Changes that only a sweep found", registry=REGISTRY)
GPU_NODES = Gauge("dgdr_gpu_nodes", "Ready GPU nodes by SKU", ["sku"], registry=REGISTRY)
GPUS = Gauge("dgdr_gpus", "GPUs of ready nodes by SKU", ["sku"], registry=REGISTRY)
FREE_GPUS = Gauge("dgdr_gpus_free", "GPUs of ready nodes that no pod holds, by SKU", ["sku"], registry=REGISTRY)
LOOP_LAG = Gauge("dgdr_event_loop_lag_seconds", "Lateness of the last heartbeat", registry=REGISTRY)
