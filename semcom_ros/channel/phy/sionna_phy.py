# SPDX-License-Identifier: Apache-2.0
"""The exact chain of bits over the air: CRC, 5G LDPC code, QAM, fade and noise, and all of it back.

Sionna holds the base graphs and the encoder of 5G NR's code.
Rate matching and segmentation are TS 38.212 5.2.2, 5.3.2, 5.4.2, with three differences that are
ours: the CRC always has 24 bits and goes inverted, several blocks share that one CRC, and a
sequence of numpy takes the place of the scrambler of TS 38.211 7.3.1.1.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import numpy as np

from semcom_ros.channel.fading.sionna import load_sionna
from semcom_ros.channel.phy.ldpc_decoder import Graph, decode
from semcom_ros.channel.phy.mcs import CRC_BITS, Mcs, split_into_blocks
from semcom_ros.channel.phy.modulation import MODULATIONS, hard_decide, modulate, soft_decide
from semcom_ros.errors import SemcomError
from semcom_ros.runtime import compiled

_LIFTING_SIZES = sorted(
    odd << power for odd in (2, 3, 5, 7, 9, 11, 13, 15) for power in range(8) if odd << power <= 384
)
_BG1_MOST, _BG2_MOST = (22, 8448), ((6, 192), (8, 560), (9, 640), (10, 3840))
"""Columns of the base graph that hold information, and the most bits with so many."""
_CRC_GENERATOR = 0x864CFB
_KNOWN_ZERO = 1e4
"""Log-likelihood ratio of a filler bit, which is not sent because both ends know it."""


class ExactLink:
    """Carries parts of bits through the whole chain, with the fade and the noise known exactly.

    bit_error_rate: share of coded bits that hard decisions got wrong in the last transmission.
    Raises SemcomError where Sionna is not installed.
    """

    def __init__(self) -> None:
        load_sionna()
        self.bit_error_rate = 0.0

    def transmit(
        self,
        data: bytes,
        mcs: Mcs,
        gains: np.ndarray,
        noise_variance: float | np.ndarray,
        rng: np.random.Generator,
    ) -> bytes | None:
        """What the receiver gets of `data`: the same bytes, or None where the CRC fails.

        gains: fade of each symbol, complex64 [symbols_needed(len(data), mcs)]. noise_variance:
        E|n|^2 of a symbol of unit mean power, one for all or [n]. Raises SemcomError on gains of
        another length.
        """
        block_bits, lengths = split_into_blocks(len(data), mcs)
        if len(gains) != sum(lengths):
            raise SemcomError(
                f"{len(data)} bytes with {mcs.name} take {sum(lengths)} symbols: "
                f"give as many gains, not {len(gains)}."
            )
        code = _code_for(block_bits, 8 * len(data), mcs.code_rate)
        blocks = np.zeros((len(lengths), block_bits), np.uint8)
        sent_bits = _to_bits(data)
        blocks.reshape(-1)[: len(sent_bits)] = sent_bits
        coded = _encode(blocks, lengths, code, mcs)

        sent = modulate(coded, mcs.modulation)
        noise = rng.normal(size=(2, len(sent)))
        noise = np.sqrt(np.asarray(noise_variance) / 2) * (noise[0] + 1j * noise[1])
        # A symbol in so deep a fade that it carries nothing must not turn into a division by zero.
        power = np.maximum(np.abs(gains) ** 2, 1e-12)
        equalised = (gains * sent + noise) * np.conj(gains) / power
        self.bit_error_rate = float(np.mean(hard_decide(equalised, mcs.modulation) != coded))

        ratios = soft_decide(equalised, noise_variance / power, mcs.modulation)
        bits = _decode(ratios, block_bits, lengths, code, mcs).reshape(-1)[: len(sent_bits)]
        return _from_bits(bits)


class _Code(NamedTuple):
    """The 5G LDPC code of one base graph and lifting size.

    encoder: takes `bits` bits, gives all that could be sent of their codeword but its first 2 z
    bits, which never are. columns: of the base graph, that hold information.
    """

    encoder: Any
    graph: Graph
    bits: int
    columns: int


def _code_for(block_bits: int, part_bits: int, code_rate: float) -> _Code:
    """The code of a block by TS 38.212 5.2.2 and 7.2.2.

    There base graph 2 ends at 3824 bits and a CRC of 16, here at as many with the CRC of 24.
    """
    second = part_bits <= 292 or (block_bits <= _BG2_MOST[-1][1] and code_rate <= 0.67)
    choices = _BG2_MOST if second else (_BG1_MOST,)
    columns, most = next(choice for choice in choices if block_bits <= choice[1])
    z = next(size for size in _LIFTING_SIZES if columns * size >= block_bits)
    return _code(1 + second, min(columns * z, most))


@cache
def _code(base_graph: int, bits: int) -> _Code:
    """The code of `bits`, the longest block of its lifting size; shorter ones fill up with zeros.

    So few codes serve every length: Sionna takes a tenth of a second to make one.
    """
    from sionna.phy.fec.ldpc import LDPC5GEncoder

    encoder = LDPC5GEncoder(bits, bits * (3, 5)[base_graph - 1], bg=f"bg{base_graph}")
    z = encoder.z
    checks, at = encoder.pcm[::z].tocoo().coords
    order = np.lexsort((at, checks))
    starts = np.searchsorted(checks[order], np.arange(encoder.pcm.shape[0] // z + 1))
    columns, shifts = np.divmod(at[order], z)
    graph = Graph(z, *(a.astype(np.int32) for a in (starts, columns, shifts)))
    return _Code(encoder, graph, bits, encoder.k_ldpc // z)


def _places(block_bits: int, sent: int, code: _Code) -> np.ndarray:
    """Which bits of the codeword are the `sent` ones that go out (TS 38.212 5.4.2.1, rv 0)."""
    z, information = code.graph.z, code.columns * code.graph.z
    systematic = np.arange(2 * z, block_bits)[:sent]
    return np.append(systematic, np.arange(information, information + sent - len(systematic)))


def _encode(blocks: np.ndarray, lengths: list[int], code: _Code, mcs: Mcs) -> np.ndarray:
    """The coded bits uint8 [m n], interleaved and scrambled, of `blocks` uint8 [C, K]."""
    import torch

    filled = np.zeros((len(blocks), code.bits), np.float32)
    filled[:, : blocks.shape[1]] = blocks
    with torch.inference_mode():
        words = code.encoder(torch.from_numpy(filled)).numpy().astype(np.uint8)
    z, m = code.graph.z, MODULATIONS[mcs.modulation]
    coded = []
    for word, symbols in zip(words, lengths, strict=True):
        places = _places(blocks.shape[1], m * symbols, code)
        fillers = code.columns * z - code.bits
        sent = word[places - 2 * z - np.where(places >= code.bits, fillers, 0)]
        coded.append(sent.reshape(m, symbols).T.reshape(-1))
    return np.concatenate(coded) ^ _scrambling(m * sum(lengths))


def _decode(
    ratios: np.ndarray, block_bits: int, lengths: list[int], code: _Code, mcs: Mcs
) -> np.ndarray:
    """The blocks uint8 [C, K] that `ratios` float32 [m n] of the coded bits decode to."""
    z, m = code.graph.z, MODULATIONS[mcs.modulation]
    ratios = np.where(_scrambling(len(ratios)), -ratios, ratios)
    ends = m * np.cumsum(lengths)
    blocks = np.empty((len(lengths), block_bits), np.uint8)
    for block, end, symbols in zip(blocks, ends, lengths, strict=True):
        places = _places(block_bits, m * symbols, code)
        word = np.zeros(code.encoder.n_ldpc, np.float32)
        word[block_bits : code.columns * z] = _KNOWN_ZERO
        word[places] = ratios[end - m * symbols : end].reshape(symbols, m).T.reshape(-1)
        # Checks on parity bits that were not sent say nothing.
        rows = max(4, int(places[-1]) // z + 1 - code.columns)
        block[:] = decode(word, code.graph, rows)[:block_bits]
    return blocks


@cache
def _scrambling_sequence(n: int) -> np.ndarray:
    return np.random.default_rng(38211).integers(0, 2, n, np.uint8)


def _scrambling(n: int) -> np.ndarray:
    """Random bits uint8 [n], always the same: even a part of zeros has unit mean power."""
    return _scrambling_sequence(1 << (n - 1).bit_length())[:n]


def _to_bits(data: bytes) -> np.ndarray:
    """The bits uint8 of `data` and its CRC, inverted.

    A fade in which nothing is heard decodes to zeros, and the CRC of zeros is zero: as it is, it
    would let them pass.
    """
    array = np.frombuffer(data, np.uint8)
    return np.unpackbits(np.append(array, _inverted_crc(array)))


def _from_bits(bits: np.ndarray) -> bytes | None:
    """The bytes of `bits` without their CRC, None where that is wrong."""
    array, crc = np.split(np.packbits(bits), [-CRC_BITS // 8])
    return array.tobytes() if np.array_equal(crc, _inverted_crc(array)) else None


def _inverted_crc(array: np.ndarray) -> np.ndarray:
    crc = crc24(array).to_bytes(CRC_BITS // 8, "big")
    return ~np.frombuffer(crc, np.uint8)


@compiled()
def crc24(data: np.ndarray) -> int:
    """CRC-24A of 5G (TS 38.212 5.1): the remainder, 0 to 2^24 - 1, of `data` uint8 [n].

    Its first bit is the highest power. A wrong block passes with probability 2^-24.
    """
    remainder = np.int64(0)
    for byte in data:
        remainder ^= np.int64(byte) << 16
        for _ in range(8):
            remainder <<= 1
            if remainder >> 24:
                remainder ^= 0x1000000 | _CRC_GENERATOR
    return int(remainder)
