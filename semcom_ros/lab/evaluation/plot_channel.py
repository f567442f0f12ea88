# SPDX-License-Identifier: Apache-2.0
"""`semcom channel plot`: block errors over the SNR, and the link over a drive past the RSU."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from semcom_ros.channel import Channel
from semcom_ros.channel.parameters import NONE
from semcom_ros.channel.phy import block_errors
from semcom_ros.channel.phy.block_errors import TABLE_PATH
from semcom_ros.channel.phy.mcs import MCS_TABLE, split_into_blocks
from semcom_ros.errors import SemcomError
from semcom_ros.lab.evaluation.probe import digital
from semcom_ros.lab.evaluation.shared import pyplot, save
from semcom_ros.parameter import Parameter

N_BYTES = 475
"""A label map at the default rate, and a length that the table of block errors was measured at."""
SECONDS = Parameter("seconds", 45.0, "length of the drive", 1.0, 3600.0)
_LEAST_RATE = 1e-3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `semcom channel plot`."""
    parser.add_argument("--out", type=Path, default=Path("docs"), help="folder of the pictures")
    parser.add_argument("--script", default="config/drive_past_rsu.yaml", help="the drive")
    parser.add_argument("--channel", default="tdl_c", help="model of the radio on the drive")
    parser.add_argument("--seconds", type=float, default=SECONDS.default, help=SECONDS.text)
    parser.add_argument("--seed", type=int, default=1, help="of the radio")


def run(args: argparse.Namespace) -> None:
    """Draw block_errors.png and drive.png into the folder; raises SemcomError."""
    if args.channel == NONE:
        raise SemcomError(
            "The ideal channel, none, has no SNR and no fade to draw: name a model, such as tdl_c."
        )
    channel = Channel(
        args.seed, channel=args.channel, script=args.script, mcs="auto", shadowing_db=3.0
    )
    seconds = SECONDS.check(args.seconds)
    args.out.mkdir(parents=True, exist_ok=True)
    plot_block_errors(args.out / "block_errors.png")
    plot_drive(args.out / "drive.png", channel, seconds)


def plot_block_errors(path: Path) -> None:
    """Block error rate of a part of 475 bytes by scheme: measured points, and the fit in use."""
    snr_db = np.linspace(-3, 22, 600)
    measured = json.loads(TABLE_PATH.read_text())["curves"]
    figure, axes = pyplot().subplots(figsize=(9, 4.5), layout="constrained")
    for mcs in MCS_TABLE:
        rates = [block_errors.block_error_rate(mcs, N_BYTES, x) for x in snr_db]
        (line,) = axes.semilogy(snr_db, rates, label=mcs.name.replace("_", " "))
        for row in measured:
            if row["mcs"] == mcs.name and row["block_bits"] == split_into_blocks(N_BYTES, mcs)[0]:
                x, blocks, errors = np.array(row["points"]).T
                axes.semilogy(x, errors / blocks, "o", color=line.get_color(), markersize=4)
    axes.set(
        xlabel="SNR of a symbol, dB", ylabel=f"share of parts of {N_BYTES} bytes lost",
        ylim=(_LEAST_RATE, 1.3),
    )  # fmt: skip
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8, loc="upper right")
    save(figure, path)


def plot_drive(path: Path, channel: Channel, seconds: float) -> None:
    """SNR set and met, length by the scheme that `auto` chose, and frames lost, frame by frame.

    A packet that is lost whatever its SNR meets none: there the lines have gaps.
    """
    rate_hz = channel.settings.rate_hz
    rows = []
    for sequence in range(round(seconds * rate_hz)):
        received = channel.transmit(digital(bytes(N_BYTES), sequence))
        state = channel.state()
        channel.report_snr(received.snr_db)
        names = ("snr_db", "snr_estimated_db", "symbols")
        rows.append([*(float(state.get(n, "nan")) for n in names), received.parts[0].erased])
    mean, met, symbols, lost = np.array(rows).T
    time_s = np.arange(len(rows)) / rate_hz

    figure, (top, bottom) = pyplot().subplots(
        2, 1, figsize=(9, 5), sharex=True, layout="constrained", height_ratios=(2, 1)
    )
    top.plot(time_s, met, lw=0.8, label="met: with the fade")
    top.plot(time_s, mean, lw=1.5, label="mean: path loss and shadowing")
    lost_at = time_s[lost > 0]
    foot = np.full(len(lost_at), 0.03)
    top.plot(lost_at, foot, "r|", label="frame lost", transform=top.get_xaxis_transform())
    top.set(ylabel="SNR, dB")
    top.legend(fontsize=8)
    bottom.step(time_s, symbols / channel.settings.symbol_rate_mhz / 1e3, where="mid", lw=0.8)
    bottom.set(xlabel="time, s", ylabel="symbols /\nsymbol rate, ms")
    for axes in (top, bottom):
        axes.grid(alpha=0.3)
    save(figure, path)
