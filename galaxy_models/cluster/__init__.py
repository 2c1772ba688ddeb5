"""Everything that starts or queries Ray.

    session.py       Ray on this machine, or the cluster that a job was submitted to
    resources.py     CPUs and GPUs, and how many workers fit
    hosts.py         hosts that work, each asked by a small task
    shared_paths.py  whether every host sees the same files
    ray_errors.py    Ray's errors -> this project's
    ray_output.py    Ray's own output, moved into the job's log
    job_log.py       one log for the driver and its workers
    metrics.py       a job's Prometheus metrics

It knows neither galaxies nor networks. The package itself imports nothing.
"""
