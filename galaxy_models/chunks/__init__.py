"""Work in chunks, each done exactly once, whatever dies on the way.

    ledger.py        what is done and what is not, by the names of files
    chunk_result.py  what a worker reports of a chunk
    row_counts.py    rows by status, failure reason and class
    failure_limit.py how many of them may fail
    workers.py       what a driver asks of its workers
    driver.py        the driver's loop
    in_process.py    workers in threads of this process
    ray_workers.py   workers on a cluster
    engine_choice.py which engine the job predicts with

But for the engines it knows neither pixels nor networks; the wings give it their work.
"""
