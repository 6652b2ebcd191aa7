#!/usr/bin/env python3
"""Recordings through a pipeline on a Ray cluster.

    ray_batch.py pipeline.json --inputs 'rec/**/*.mp4' --out OUT --workers 20

Each worker is `vpipe batch` on a folder that all machines share; they claim the items one by one. A worker whose machine
goes is started again elsewhere and makes what is missing. Ray's autoscaler adds machines for workers that wait.
"""
import argparse
import os
import subprocess
import sys

import ray


@ray.remote(max_retries=-1)
def work(command, folder):
    """Runs a worker to its end; a process that was killed, rather than one that ended, is a fault that Ray retries."""
    status = subprocess.run(command, cwd=folder, check=False).returncode
    while status < 0:
        print(f"worker killed by signal {-status}; again", file=sys.stderr)
        status = subprocess.run(command, cwd=folder, check=False).returncode
    return status


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("pipeline")
    parser.add_argument("--inputs", nargs="+", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--cpus", type=float, default=2, help="processor cores of a worker")
    parser.add_argument("--vpipe", default="vpipe")
    parser.add_argument("--address", help="of the cluster; the one of RAY_ADDRESS, or this machine, by default")
    arguments = parser.parse_args()

    ray.init(address=arguments.address)
    command = [arguments.vpipe, "batch", arguments.pipeline, "--out", arguments.out, "--shard", "claim",
               "--cores", str(max(1, int(arguments.cpus))), "--inputs", *arguments.inputs]
    tasks = [work.options(num_cpus=arguments.cpus).remote(command, os.getcwd()) for _ in range(arguments.workers)]
    sys.exit(max(ray.get(tasks)))


if __name__ == "__main__":
    main()
