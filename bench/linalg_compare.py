#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Times linalg_bench against LAPACK, the two in processes of their own and in turns, and prints
tables of the least times. Usage:

  linalg_compare.py LINALG_BENCH [--routines qr,cholesky,svd] [--threads 1,2] [--sizes 16,32,...]
                    [--rounds 5] [--threaded DIR] [--under COMMAND] [--svg FILE]
  linalg_compare.py LINALG_BENCH --errors FILE [--routines ...] [--sizes ...]

--threaded names the folder of a threaded libopenblas.so.0 for two threads and more; without it the
LAPACK that the program was linked with is used throughout. --under runs each process by a command
that keeps the machine quiet meanwhile, say. --svg writes a plot of time over LAPACK's;
--errors measures no time, and writes one of the greatest backward errors of random matrices over eps.
"""
import argparse
import math
import os
import subprocess

parser = argparse.ArgumentParser()
parser.add_argument("bench")
parser.add_argument("--routines", default="qr,cholesky,svd")
parser.add_argument("--threads", default="1,2")
parser.add_argument("--sizes", default="8,16,32,64,128,256,512,1024")
parser.add_argument("--rounds", type=int, default=5)
parser.add_argument("--threaded", default="")
parser.add_argument("--under", default="")
parser.add_argument("--svg", default="")
parser.add_argument("--errors", default="")
args = parser.parse_args()


def run(mode, who, routine, dtype, threads, size):
    lapack_threads = 1 if mode == "batch" else int(threads)
    env = dict(os.environ, OPENBLAS_NUM_THREADS=str(lapack_threads))
    if lapack_threads > 1 and args.threaded:
        env["LD_LIBRARY_PATH"] = args.threaded
    command = args.under.split() + [args.bench, mode, who, routine, dtype, threads] + size
    text = subprocess.run(command, env=env, check=True, capture_output=True, text=True).stdout
    return float(text.split()[3])


def least(mode, routine, dtype, threads, size):
    best = {}
    for _ in range(args.rounds):
        for who in ("tern", "lapack"):
            time = run(mode, who, routine, dtype, threads, size)
            best[who] = min(time, best.get(who, time))
    return best["tern"], best["lapack"]


def plot(curves, sizes, path, caption, ticks):
    """Curves (name, numbers, dashed) against sizes, on a logarithmic axis from ticks[0] to ticks[-1]."""
    width, height, left, top = 620, 320, 50, 20
    low, high = math.log2(ticks[0]), math.log2(ticks[-1])
    x = lambda i: left + i * (width - left - 200) / max(1, len(sizes) - 1)
    y = lambda v: top + (height - 60) * (high - min(high, max(low, math.log2(v)))) / (high - low)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
           'font-family="sans-serif" font-size="11">',
           f'<rect width="{width}" height="{height}" fill="white"/>']
    for tick in ticks:
        stroke = "#444" if tick == 1 else "#ddd"
        out.append(f'<path d="M{left} {y(tick):.1f}H{x(len(sizes) - 1):.1f}" stroke="{stroke}"/>'
                   f'<text x="{left - 6}" y="{y(tick) + 4:.1f}" text-anchor="end">{tick:g}</text>')
    for i, n in enumerate(sizes):
        out.append(f'<text x="{x(i):.1f}" y="{height - 22}" text-anchor="middle">{n}</text>')
    out.append(f'<text x="{left}" y="{height - 4}">{caption}</text>')
    colours = ("#1b6ca8", "#c8553d", "#3a7d44", "#8d5a97", "#b8860b", "#5f6a72", "#d06fa0", "#2a9d8f",
               "#444444", "#7b9e23", "#e07b39", "#4b4bd1")
    for index, (name, values, colour, dashed) in enumerate(curves):
        style = f'stroke="{colours[colour]}" stroke-width="1.5"'
        style += ' stroke-dasharray="4 3"' if dashed else ""
        points = " ".join(f"{x(i):.1f},{y(v):.1f}" for i, v in enumerate(values))
        at = top + 14 * index + 6
        out.append(f'<polyline points="{points}" fill="none" {style}/>'
                   f'<path d="M{width - 190} {at}h20" {style}/>'
                   f'<text x="{width - 164}" y="{at + 4}">{name}</text>')
    out.append("</svg>")
    with open(path, "w") as file:
        file.write("\n".join(out) + "\n")


def plot_errors():
    curves = []
    for routine in args.routines.split(","):
        for dtype in ("f64", "f32"):
            command = [args.bench, "error", routine, dtype] + sizes
            text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            rows = [line.split() for line in text.splitlines()]
            for name, column in (("", 3), (", LAPACK", 4)):
                values = [float(row[column]) for row in rows]
                curves.append((f"{routine} {dtype}{name}", values, len(curves) // 2, column == 4))
    caption = "n; greatest backward error of random n x n matrices, over eps"
    plot(curves, sizes, args.errors, caption, (0.25, 0.5, 1, 2, 4, 8, 16, 32))


sizes = args.sizes.split(",")
if args.errors:
    plot_errors()
    raise SystemExit
curves = []
print("Time in microseconds, ours / LAPACK's = quotient.\n")
print("| routine | dtype | threads | " + " | ".join(sizes) + " | 1,000 of 32 x 32 |")
print("| --- | --- | --- |" + " --- |" * (len(sizes) + 1))
for routine in args.routines.split(","):
    for dtype in ("f64", "f32"):
        for threads in args.threads.split(","):
            times = [least("time", routine, dtype, threads, [n]) for n in sizes]
            batch = least("batch", routine, dtype, threads, [])
            cells = [f"{a * 1e6:.3g} / {b * 1e6:.3g} = {a / b:.2f}" for a, b in times + [batch]]
            print(f"| {routine} | {dtype} | {threads} | " + " | ".join(cells) + " |", flush=True)
            curves.append((f"{routine} {dtype} {threads} thread{'s' if threads != '1' else ''}",
                           [a / b for a, b in times], len(curves), False))
if args.svg:
    plot(curves, sizes, args.svg, "n; time over LAPACK's", (0.0625, 0.125, 0.25, 0.5, 1, 2))
