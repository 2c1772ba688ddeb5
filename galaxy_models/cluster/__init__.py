"""All that starts Ray or asks it something.

    session.py       Ray on this machine, or the cluster that a job was submitted to
    resources.py     what a cluster holds, and how many workers fit into it
    shared_paths.py  whether every host sees the same files
    ray_errors.py    what Ray's errors mean
    ray_output.py    Ray's own lines on stderr, kept or put into the job's log
    job_log.py       one log for the driver and its workers
    metrics.py       a job's Prometheus metrics

It knows neither galaxies nor networks. Importing the room imports nothing.
"""
