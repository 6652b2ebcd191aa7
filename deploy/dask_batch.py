#!/usr/bin/env python3
"""Recordings through a pipeline on a Dask cluster.

    dask_batch.py pipeline.json --inputs 'rec/**/*.mp4' --out OUT --workers 20 --scheduler tcp://host:8786

Each task is `vpipe batch` on a folder that all machines share; they claim the items one by one. A task whose worker goes
is started again elsewhere and makes what is missing.
"""
import argparse
import os
import subprocess
import sys

from dask.distributed import Client


def work(command, folder, _index):
    """Runs `vpipe batch` to its end, again where it was killed rather than ended."""
    while True:
        status = subprocess.run(command, cwd=folder, check=False).returncode
        if status >= 0:
            return status
        print(f"worker killed by signal {-status}; again", file=sys.stderr)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("pipeline")
    parser.add_argument("--inputs", nargs="+", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--cores", type=int, default=2, help="processor cores of a worker")
    parser.add_argument("--vpipe", default="vpipe")
    parser.add_argument("--scheduler", help="its address; workers on this machine are started without one")
    arguments = parser.parse_args()

    client = (Client(arguments.scheduler) if arguments.scheduler
              else Client(n_workers=arguments.workers, threads_per_worker=1))
    command = [arguments.vpipe, "batch", arguments.pipeline, "--out", arguments.out, "--shard", "claim",
               "--cores", str(arguments.cores), "--inputs", *arguments.inputs]
    tasks = client.map(lambda index: work(command, os.getcwd(), index), range(arguments.workers), pure=False, retries=100)
    sys.exit(max(client.gather(tasks)))


if __name__ == "__main__":
    main()
